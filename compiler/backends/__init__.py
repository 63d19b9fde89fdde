"""Turns graphs into artifacts, one folder for each backend. Backends know operators. Operators know no backend, and no backend knows
another."""
