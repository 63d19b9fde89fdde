"""Windows of images: definitions for the files of Flax."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from ...python.array_library.array_resampling import unfold


def fold(x: jax.Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> jax.Array:
    """The sums of overlapping windows, which `unfold` takes apart: [..., C * taps, windows] -> [..., C, H, W]."""
    channels = x.shape[-2] // math.prod(kernel_size)
    zeros = jnp.zeros((*x.shape[:-2], channels, *output_size), jnp.promote_types(x.dtype, jnp.float16))
    back = jax.linear_transpose(lambda image: unfold(image, kernel_size, dilation, padding, stride), zeros)
    return back(x.astype(zeros.dtype))[0].astype(x.dtype)
