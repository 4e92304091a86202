"""What an incident does in each phase, and what leads from one to the next."""
