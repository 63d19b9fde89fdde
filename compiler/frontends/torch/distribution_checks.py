"""Leaves out the checks of values in `torch.distributions`, which torch.export cannot trace.

`Normal(mean, scale)` checks that the scale is positive, and `log_prob` that the sample is in the support. Both branch on the values of
tensors, and raise or change nothing. So the distributions compute the same without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.distributions import Distribution


@contextmanager
def skip_distribution_checks() -> Iterator[None]:
    """Leave the checks out within the context. `validate_args=True` in the code of a module keeps them."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)
