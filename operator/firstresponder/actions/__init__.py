"""Typed state-changing actions: what a host is asked for, and what people are told of it. Nothing here acts."""
