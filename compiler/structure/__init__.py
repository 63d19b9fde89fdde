"""What bodies of graphs have in common, for whatever writes them: bodies as trees, their comparison, and the order to write them in."""
