"""Writes the method that computes: its steps, which of them have a line of their own, and the names of its variables."""
