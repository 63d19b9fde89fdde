"""The values of parameters: initial ones, and those of checkpoints matched to a graph."""
