"""Numbers for Prometheus: what the operator counts of itself, under names that stay."""
