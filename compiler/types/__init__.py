"""Types of tensors, with their counterparts in NumPy, and integers that record how they are computed from parameters and sizes."""
