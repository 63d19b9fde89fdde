"""bfloat16, which the stand-in of NumPy has itself."""

from numpy import bfloat16, finfo  # noqa: F401
