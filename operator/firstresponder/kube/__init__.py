"""The API server: reading, writing with preconditions, revisions, Events, and proof that the approval gate holds."""
