"""Typed state-changing actions: what a host is asked for, and what people read about it. Nothing here acts."""
