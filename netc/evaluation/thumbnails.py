"""Encode images of a data set as small PNG files for a page.

In: an array `[C, H, W]` of one or three channels. Out: a `data:` address. Always: only the standard library is needed, so that arrays are
shown without Pillow.

>>> make_thumbnail(np.zeros((1, 2, 2), np.float32))[:22]
'data:image/png;base64,'
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from ..training.data.data_source import Array

MAX_SIDE = 160
"""The longest side of a thumbnail, in pixels. Larger images are sampled."""
_COLOR_TYPES = {1: 0, 3: 2}
"""PNG's color type for a number of channels."""


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether samples of this shape can be shown as images."""
    return len(shape) == 3 and shape[0] in _COLOR_TYPES and min(shape[1:]) > 1


def make_thumbnail(image: Array) -> str:
    """Return the address of an image, which contains it."""
    stride = max(1, -(-max(image.shape[1:]) // MAX_SIDE))
    pixels = _to_bytes(image[:, ::stride, ::stride])
    return f"data:image/png;base64,{base64.b64encode(_encode_png(pixels)).decode('ascii')}"


def _to_bytes(image: Array) -> Array:
    """Return pixels from 0 to 255. Numbers that are neither from 0 to 1 nor bytes are scaled to their own range."""
    if image.dtype == np.uint8:
        return image
    values = np.nan_to_num(image.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else (values.min(), values.max())
    return np.round((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8)


def _encode_png(pixels: Array) -> bytes:
    channels, height, width = pixels.shape
    rows = pixels.transpose(1, 2, 0).reshape(height, width * channels)
    # Each row begins with the number of its filter, and 0 is none.
    content = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(content)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_encode_chunk(name, data) for name, data in chunks)


def _encode_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
