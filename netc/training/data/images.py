"""A folder with one folder of images for each class, as torchvision's `ImageFolder` reads it.

In: the folder. Out: an `ImageSource` with the columns `image` and `label`. Always: classes are numbered in the order of their names, and
samples are sorted by class and path. For example, `photos/cat/1.jpg`, `photos/dog/a.png` and `photos/dog/b.png` have the labels 0, 1, 1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from netc.compiler.types.tensor_types import TensorType

from .data_paths import check_folder, translate_os_errors
from .data_source import Array, DataError, Indices, TableColumn
from .pictures import ImageDecoder, Size, decode_images, require_pillow

ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
IMAGE, LABEL = "image", "label"
_MAX_COMPARED = 2000
"""The number of images whose sizes are compared before training, if they are not resized."""


class ImageSource:
    """Images with their class numbers."""

    decodes = True

    def __init__(self, root: str, classes: tuple[str, ...], paths: list[str], labels: Array, picture: ImageDecoder) -> None:
        self.root, self.classes, self.paths, self.labels, self.picture = root, classes, paths, labels, picture
        self.columns = {IMAGE: picture.describe_column(IMAGE, self._format_path(0), paths[0]), LABEL: TableColumn(LABEL, (), labels.dtype)}

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        return {name: self.labels[indices] if name == LABEL else self._decode_images(indices) for name in names}

    def _decode_images(self, indices: Indices) -> Array:
        return decode_images(self.picture, [(self._format_path(int(i)), self.paths[int(i)]) for i in indices])

    def _format_path(self, index: int) -> str:
        return os.path.relpath(self.paths[index], self.root)

    def describe_sample(self, index: int) -> str:
        return f"`{self._format_path(index)}`"

    def check_sizes(self) -> None:
        """Compare the sizes of images by their headers, so that a batch cannot fail after hours of training. Raises `DataError`."""
        from PIL import Image

        sizes: dict[tuple[int, int], int] = {}
        for index in np.linspace(0, len(self) - 1, min(len(self), _MAX_COMPARED), dtype=np.int64).tolist():
            try:
                with Image.open(self.paths[index]) as image:
                    sizes.setdefault(image.size, index)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                self._decode_images(np.array([index]))  # the decoder raises a `DataError` that says why
            if len(sizes) > 1:
                (one, first), (other, second) = sizes.items()
                shown = f"`{self._format_path(first)}` is {one[1]}x{one[0]}, `{self._format_path(second)}` {other[1]}x{other[0]}"
                raise DataError(f"its images differ in size: {shown}", "say to which size they are converted: `size=224`")


def open_images(path: str, wanted: Mapping[str, TensorType], size: Size = None) -> ImageSource:
    """List the folder and decode its first image. Raises `DataError`."""
    require_pillow()
    check_folder(path)
    with translate_os_errors():
        classes = tuple(sorted(entry.name for entry in os.scandir(path) if entry.is_dir()))
        paths_by_class = [list_images(os.path.join(path, name)) for name in classes]
    if not classes:
        raise DataError("there are no folders of classes in it")
    empty = next((name for name, paths in zip(classes, paths_by_class, strict=True) if not paths), None)
    if empty is not None:
        raise DataError(f"there is no image in `{empty}`; the endings are {', '.join(ENDINGS)}")
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in paths_by_class])
    picture = ImageDecoder.for_input(wanted[IMAGE], size) if IMAGE in wanted else ImageDecoder(3, True, size)
    source = ImageSource(path, classes, [image for paths in paths_by_class for image in paths], labels, picture)
    if size is None:
        source.check_sizes()
    return source


def list_images(path: str) -> list[str]:
    """List the images in a folder at any depth."""
    # Sorted by folder, then by name, and through links: the order of `ImageFolder`, so that sample numbers are the same in both.
    return [
        os.path.join(root, name)
        for root, _, names in sorted(os.walk(path, followlinks=True))
        for name in sorted(names)
        if name.lower().endswith(ENDINGS) and os.path.isfile(os.path.join(root, name))
    ]
