"""Find structure in a program for writers of source: the order of its bodies, and runs of stages that repeat."""
