"""One short function for each aten operator, in files by topic: importing this registers all."""

from . import (  # noqa: F401
    arithmetic,
    attention,
    comparison,
    creation,
    elementwise,
    indexing,
    joining,
    layers,
    loss,
    normalization,
    pooling,
    recurrent,
    reduction,
    regularization,
    resampling,
    shape,
    sorting,
    spectral,
)
