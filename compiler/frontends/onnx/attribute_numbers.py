"""Converts the numbers of ONNX attributes, which are float32, to the numbers of a spec."""

from __future__ import annotations

from typing import Any

import numpy as np

from .emitter import to_number


def shorten_float(value: Any) -> Any:
    """Return the shortest number that is the same float32. Values that are no floats stay as they are.

    >>> shorten_float(0.009999999776482582)
    0.01
    """
    return to_number(np.float32(value).reshape(1)) if isinstance(value, float) else value
