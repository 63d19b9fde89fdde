"""Turns text into a syntax tree and back. This package knows no operators and no tensors, and reads and writes no model files."""
