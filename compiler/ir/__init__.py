"""The typed graph: programs, graphs, nodes and values as plain data, and the invariants that they keep (verify.py)."""
