"""Typed read-only diagnostics, one file each: an argv out, a typed value in, never a transport."""
