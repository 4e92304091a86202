"""SSH to prepared hosts: the connection pool, the diagnostics and the ledger of state-changing orders."""
