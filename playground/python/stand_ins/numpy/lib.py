"""NumPy's files, which nothing in a page reads."""
