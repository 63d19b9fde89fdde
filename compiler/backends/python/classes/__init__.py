"""From bodies to classes: the bodies that one class has, the arguments that tell them apart, names and docstrings."""
