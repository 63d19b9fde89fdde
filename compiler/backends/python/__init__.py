"""What writes Python, for backends whose output is Python source. It knows no framework and imports no backend."""
