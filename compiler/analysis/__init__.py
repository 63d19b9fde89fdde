"""What follows from a graph: its parameters, FLOPs and memory."""
