"""The writer of Python source, shared by all backends whose output is Python. It knows no framework and imports no backend."""
