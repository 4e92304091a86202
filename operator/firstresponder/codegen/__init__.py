"""Everything that is generated from the code."""
