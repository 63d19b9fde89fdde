"""Names of annotations."""

from .arrays import ndarray as NDArray  # noqa: F401, N812
