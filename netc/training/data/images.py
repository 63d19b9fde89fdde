"""A folder of classes, each a folder of images, as torchvision's `ImageFolder` reads it.

In: the folder. Out: an `ImageSource` with the columns `image` and `label`. Always: classes are numbered in the order of their names, and
samples are in the order of classes and paths.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from netc.compiler.types.tensor_types import TensorType

from .data_paths import folder, reading
from .data_source import Array, Column, DataError, Indices
from .pictures import Picture, Size, decoded, need_pillow

ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
IMAGE, LABEL = "image", "label"
_MEASURED = 2000
"""The number of images whose sizes are compared before training, if they are not resized."""


class ImageSource:
    """Images with the numbers of their classes."""

    decodes = True

    def __init__(self, root: str, classes: tuple[str, ...], paths: list[str], labels: Array, picture: Picture) -> None:
        self.root, self.classes, self.paths, self.labels, self.picture = root, classes, paths, labels, picture
        self.columns = {IMAGE: picture.column(IMAGE, self._shown(0), paths[0]), LABEL: Column(LABEL, (), labels.dtype)}

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        return {name: self.labels[indices] if name == LABEL else self._images(indices) for name in names}

    def _images(self, indices: Indices) -> Array:
        return decoded(self.picture, [(self._shown(int(i)), self.paths[int(i)]) for i in indices])

    def _shown(self, index: int) -> str:
        return os.path.relpath(self.paths[index], self.root)

    def check_sizes(self) -> None:
        """Compares the sizes of images by their headers. Raises `DataError`."""
        from PIL import Image

        sizes: dict[tuple[int, int], int] = {}
        for index in np.linspace(0, len(self) - 1, min(len(self), _MEASURED), dtype=np.int64).tolist():
            try:
                with Image.open(self.paths[index]) as image:
                    sizes.setdefault(image.size, index)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                self._images(np.array([index]))  # says what is wrong with it
            if len(sizes) > 1:
                (one, first), (other, second) = sizes.items()
                shown = f"`{self._shown(first)}` is {one[1]}x{one[0]}, `{self._shown(second)}` {other[1]}x{other[0]}"
                raise DataError(f"its images differ in size: {shown}", "say to which size they are converted: `size=224`")


def open_images(path: str, wanted: Mapping[str, TensorType], size: Size = None) -> ImageSource:
    """Lists the folder, and looks at the first image. Raises `DataError`."""
    need_pillow()
    folder(path)
    with reading():
        classes = tuple(sorted(entry.name for entry in os.scandir(path) if entry.is_dir()))
        found = [_listed(os.path.join(path, name)) for name in classes]
    if not classes:
        raise DataError("there are no folders of classes in it")
    empty = next((name for name, paths in zip(classes, found, strict=True) if not paths), None)
    if empty is not None:
        raise DataError(f"there is no image in `{empty}`; the endings are {', '.join(ENDINGS)}")
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in found])
    picture = Picture.of(wanted[IMAGE], size) if IMAGE in wanted else Picture(3, True, size)
    source = ImageSource(path, classes, [one for paths in found for one in paths], labels, picture)
    if size is None:
        source.check_sizes()
    return source


def _listed(path: str) -> list[str]:
    """The images in a folder at any depth, in the order of `ImageFolder`."""
    return [
        os.path.join(root, name)
        for root, _, names in sorted(os.walk(path, followlinks=True))
        for name in sorted(names)
        if name.lower().endswith(ENDINGS) and os.path.isfile(os.path.join(root, name))
    ]
