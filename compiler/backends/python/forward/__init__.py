"""The method that computes: its steps, which of them have a line of their own, the names of variables."""
