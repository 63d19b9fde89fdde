"""The values of parameters: initial values, and tensors of checkpoints matched to a graph."""
