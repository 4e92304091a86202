"""Where ended incidents are written before they are deleted: a directory, or an HTTP endpoint. It knows lines only."""
