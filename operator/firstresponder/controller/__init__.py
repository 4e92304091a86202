"""What turns the core: hears of changes, gathers snapshots, carries plans out, and comes back in time."""
