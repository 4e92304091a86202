"""The pure core: what happens next to an incident, as a function of what is known. No I/O, no clock."""
