"""Makes classes of bodies: finds the bodies that share a class, the arguments that tell them apart, names and docstrings."""
