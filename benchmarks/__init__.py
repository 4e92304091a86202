"""What the project costs, in figures that anybody can measure again: ``python -m benchmarks.NAME``."""
