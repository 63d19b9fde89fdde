"""Decode images with Pillow.

In: the type of an input, and the contents or paths of images. Out: arrays `[samples, C, H, W]`: floats from 0 to 1, or integers from 0 to
255 if the input is an integer type. Always: the result equals torchvision's: `ImageFolder`'s conversion to RGB, then `Resize` and
`CenterCrop`, then `ToTensor`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np

from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record

from .data_source import Array, DataError, TableColumn

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for a number of channels."""
_WIDE = ("I", "F")
"""The first letters of Pillow's modes with more than 8 bits. Pillow clips their pixels to 255 when it converts them."""
Size = int | tuple[int, int] | None
ImageContent = bytes | str | None
"""The bytes of an image, or its path."""


class ImageDecoder(Record):
    """How an image becomes an array. `size` has torchvision's meaning: a number is the length of the shorter side, and the center is
    cropped; a pair is height and width, and the proportions may change."""

    channels: int
    floats: bool
    size: Size = None

    @staticmethod
    def for_input(wanted: TensorType, size: Size = None) -> ImageDecoder:
        """Return the decoder for an input; it decodes to RGB if the input's shape does not fix the number of channels."""
        first = wanted.shape[1] if wanted.rank == 4 else None
        return ImageDecoder(first if isinstance(first, int) and first in MODES else 3, wanted.dtype.is_float, size)

    def describe_column(self, name: str, first: str, content: ImageContent) -> TableColumn:
        """Describe the column whose first image is `content`; messages call that image `first`. Raises `DataError`."""
        return TableColumn(
            name, _decode_named_image(self, first, content).shape, np.dtype(np.float32 if self.floats else np.uint8), finite=True
        )

    def decode_image(self, content: ImageContent) -> Array:
        """Decode one image to bytes `[C, H, W]`. Raises `DataError`."""
        from PIL import Image, UnidentifiedImageError

        if content is None:
            raise DataError("it is missing")
        try:
            with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as image:
                if image.mode.startswith(_WIDE):
                    raise DataError(f"its pixels are not of 8 bits (it is `{image.mode}`)", "convert it, or store the numbers in an `.npz`")
                converted = self._resize_image(image.convert(MODES[self.channels]))
        except UnidentifiedImageError:
            raise DataError("it is no image that Pillow knows, or is damaged") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"it cannot be decoded: {' '.join(str(error).split())[:200]}") from error
        array = np.asarray(converted)
        return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)

    def _resize_image(self, image: Any) -> Any:
        from PIL import Image

        if self.size is None:
            return image
        if isinstance(self.size, tuple):
            return image.resize(self.size[::-1], Image.Resampling.BILINEAR)
        # `int` for the longer side and `round` for the margins: torchvision's own rounding, so that the same pixels are cropped.
        short = min(image.size)
        width, height = (int(self.size * side / short) if side != short else self.size for side in image.size)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + self.size, top + self.size))


def decode_images(decoder: ImageDecoder, contents: list[tuple[str, ImageContent]]) -> Array:
    """Decode named images in several threads, in their order. Raises `DataError`, also if they differ in size."""
    images = list(_thread_pool().map(lambda named: _decode_named_image(decoder, *named), contents))
    for (name, _), image in zip(contents, images, strict=True):
        if image.shape != images[0].shape:
            sizes = f"{_format_shape(image)}, and `{contents[0][0]}` is {_format_shape(images[0])}"
            raise DataError(f"`{name}` is {sizes}", "say to which size they are converted: `size=224`")
    stacked = np.stack(images) if images else np.zeros((0, decoder.channels, 1, 1), np.uint8)
    return np.divide(stacked, np.float32(255), dtype=np.float32) if decoder.floats else stacked


def _decode_named_image(decoder: ImageDecoder, name: str, content: ImageContent) -> Array:
    try:
        return decoder.decode_image(content)
    except DataError as error:
        raise DataError(f"`{name}`: {error}", error.remedy) from error


def _format_shape(image: Array) -> str:
    return "x".join(map(str, image.shape))


@cache
def _thread_pool() -> ThreadPoolExecutor:
    """Return the pool of decoding threads. Threads are enough: Pillow releases Python's lock while it decodes."""
    return ThreadPoolExecutor(count_cores())


def count_cores() -> int:
    """Count the cores that this process may use: a container often has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def require_pillow() -> None:
    """Raise `DataError` if Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise DataError("Pillow is not installed", f"run `{format_install_command('PIL')}`") from None
