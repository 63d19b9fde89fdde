"""Images decoded by Pillow.

In: the type of an input, and the contents or paths of images. Out: arrays `[samples, C, H, W]`: floats from 0 to 1; for an input of
integers, from 0 to 255. Always: as torchvision reads them: `ImageFolder`'s conversion for three channels, `Resize` and `CenterCrop`,
`ToTensor`.
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

from .data_source import Array, Column, DataError

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's name of an image by its number of channels."""
_WIDE = ("I", "F")
"""The beginnings of the modes with more than 8 bits."""
Size = int | tuple[int, int] | None
Content = bytes | str | None
"""The bytes of an image, or its path."""


class Picture(Record):
    """How an image becomes an array. `size` as in torchvision: a number is that of the shorter side, and the centre is cut; a pair is
    height and width, whatever the proportions."""

    channels: int
    floats: bool
    size: Size = None

    @staticmethod
    def of(wanted: TensorType, size: Size = None) -> Picture:
        """What an input wants; RGB where its shape does not say."""
        first = wanted.shape[1] if wanted.rank == 4 else None
        return Picture(first if isinstance(first, int) and first in MODES else 3, wanted.dtype.is_float, size)

    def column(self, name: str, first: str, content: Content) -> Column:
        """The column, of which this is the first image, and what messages call that. Raises `DataError`."""
        return Column(name, _named(self, first, content).shape, np.dtype(np.float32 if self.floats else np.uint8), finite=True)

    def decode(self, content: Content) -> Array:
        """One image as `[C, H, W]` of bytes. Raises `DataError`."""
        from PIL import Image, UnidentifiedImageError

        if content is None:
            raise DataError("it is missing")
        try:
            with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as image:
                if image.mode.startswith(_WIDE):
                    raise DataError(f"its pixels are not of 8 bits (it is `{image.mode}`)", "convert it, or store the numbers in an `.npz`")
                made = self._resized(image.convert(MODES[self.channels]))
        except UnidentifiedImageError:
            raise DataError("it is no image that Pillow knows, or is damaged") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"it cannot be decoded: {' '.join(str(error).split())[:200]}") from error
        array = np.asarray(made)
        return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)

    def _resized(self, image: Any) -> Any:
        from PIL import Image

        if self.size is None:
            return image
        if isinstance(self.size, tuple):
            return image.resize(self.size[::-1], Image.Resampling.BILINEAR)
        short = min(image.size)
        width, height = (int(self.size * side / short) if side != short else self.size for side in image.size)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + self.size, top + self.size))


def decoded(picture: Picture, contents: list[tuple[str, Content]]) -> Array:
    """Images with their names, decoded by several threads, in their order. Raises `DataError`, also if they differ in size."""
    images = list(_threads().map(lambda named: _named(picture, *named), contents))
    for (name, _), image in zip(contents, images, strict=True):
        if image.shape != images[0].shape:
            sizes = f"{_shown(image)}, and `{contents[0][0]}` is {_shown(images[0])}"
            raise DataError(f"`{name}` is {sizes}", "say to which size they are converted: `size=224`")
    stacked = np.stack(images) if images else np.zeros((0, picture.channels, 1, 1), np.uint8)
    return np.divide(stacked, np.float32(255), dtype=np.float32) if picture.floats else stacked


def _named(picture: Picture, name: str, content: Content) -> Array:
    try:
        return picture.decode(content)
    except DataError as error:
        raise DataError(f"`{name}`: {error}", error.remedy) from error


def _shown(image: Array) -> str:
    return "x".join(map(str, image.shape))


@cache
def _threads() -> ThreadPoolExecutor:
    """Pillow decodes without Python's lock."""
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def need_pillow() -> None:
    """Raises `DataError` if Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise DataError("Pillow is not installed", f"run `{format_install_command('PIL')}`") from None
