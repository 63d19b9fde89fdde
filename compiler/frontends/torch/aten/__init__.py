"""One short function for each aten operator, in files by topic. Importing this package registers all of them."""

from . import (  # noqa: F401
    arithmetic,
    attention,
    comparison,
    creation,
    detection,
    elementwise,
    indexing,
    joining,
    layers,
    loss,
    normalization,
    partial_writes,
    pooling,
    recurrent,
    reduction,
    regularization,
    resampling,
    shape,
    sorting,
    spectral,
)
