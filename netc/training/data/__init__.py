"""Data for training: sources by format, their columns held against the inputs of the objective."""
