"""Numbers of ONNX's attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .emitter import to_number


def shorten_float(value: Any) -> Any:
    """An attribute's number, which is a float32, as the shortest that is the same."""
    return to_number(np.float32(value).reshape(1)) if isinstance(value, float) else value
