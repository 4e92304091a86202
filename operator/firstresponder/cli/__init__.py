"""The command-line programs: the operator, and the plugins of kubectl."""
