"""The importers of ONNX's operators, by topic. Importing this package fills the table."""

from . import (
    activation,
    arithmetic,
    attention,
    classical,
    convolution,
    defined,
    dense,
    indexing,
    losses,
    normalization,
    pooling,
    quantized,
    recurrent,
    reduction,
    resampling,
    shape,
    spectral,
)
from . import unsupported as unsupported

__all__ = [
    "activation",
    "arithmetic",
    "attention",
    "classical",
    "convolution",
    "defined",
    "dense",
    "indexing",
    "losses",
    "normalization",
    "pooling",
    "quantized",
    "recurrent",
    "reduction",
    "resampling",
    "shape",
    "spectral",
    "unsupported",
]
