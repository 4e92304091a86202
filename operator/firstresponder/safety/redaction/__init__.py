"""What is secret or personal in a text, one idea a module; :func:`firstresponder.safety.redact` joins them."""
