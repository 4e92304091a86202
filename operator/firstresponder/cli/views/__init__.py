"""What commands show: on a terminal, as pages and as JSON."""
