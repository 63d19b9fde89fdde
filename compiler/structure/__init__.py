"""The structure that writers of source find in a program: the order of its bodies, and runs of stages that repeat."""
