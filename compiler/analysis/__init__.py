"""Analyses of graphs: parameters, FLOPs and memory, checks of input shapes, and the dependence on samples."""
