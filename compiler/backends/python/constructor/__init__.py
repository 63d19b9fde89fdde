"""Writes the constructors of classes: members, ties, and the statements that draw parameters."""
