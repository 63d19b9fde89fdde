"""bfloat16, which the stand-in of NumPy has itself."""

from numpy import bfloat16  # noqa: F401
