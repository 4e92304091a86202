"""What of the evidence a runbook's conditions and texts read."""
