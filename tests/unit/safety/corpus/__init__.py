"""Made-up secrets in the places where programs leave them, and lines of programs that hold none.

Everything is drawn from a seed, so that a failure can be looked at again, and nothing in it is anybody's.
"""
