"""Open the samples to predict: a path, images, a table in memory, or an array.

In: data of the caller, and the signature of the model. Out: a source. Always: the options of the training's format apply where the data has
the same format, so a table with `;` between its cells is read in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..training.data.data_formats import FORMATS, InputTypes, open_source, parse_location
from ..training.data.data_source import Array, ArraySource, DataError, Indices, Source, TableColumn
from ..training.data.images import ENDINGS, IMAGE, list_images
from ..training.data.pictures import ImageDecoder, decode_images, require_pillow
from ..training.data.python import make_source
from .model_signature import ModelSignature

FILE = "file"
"""The column with the names of image files."""


class ImageFiles:
    """Images without labels."""

    decodes = True
    classes: tuple[str, ...] = ()

    def __init__(self, paths: list[str], decoder: ImageDecoder) -> None:
        self.paths, self.decoder = paths, decoder
        self.columns: Mapping[str, TableColumn] = {
            IMAGE: decoder.describe_column(IMAGE, paths[0], paths[0]),
            FILE: TableColumn(FILE, (), None, has_cells=True),
        }

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        chosen = [self.paths[int(i)] for i in indices]
        return {
            name: np.array(chosen, object) if name == FILE else decode_images(self.decoder, [(path, path) for path in chosen])
            for name in names
        }


def open_samples(data: Any, signature: ModelSignature, types: InputTypes, array_column: str | None) -> Source:
    """Open the data of the caller. Raises `DataError`."""
    if isinstance(data, (str, os.PathLike)):
        source = _open_path(os.fspath(data), signature, types)
    elif isinstance(data, (list, tuple)) and data and all(isinstance(item, (str, os.PathLike)) for item in data):
        source = _open_images([os.fspath(item) for item in data], signature, types)
    elif isinstance(data, np.ndarray) or hasattr(data, "detach"):
        source = _open_array(data, array_column, types, signature)
    else:
        source = make_source(data)
    if not len(source):
        raise DataError("there are no samples in it")
    return source


def _open_path(path: str, signature: ModelSignature, types: InputTypes) -> Source:
    if path.lower().endswith(ENDINGS) and signature.format == "images":
        return _open_images([path], signature, types)
    if os.path.isdir(path) and signature.format == "images":
        return _open_images(list_images(path), signature, types)
    location = parse_location(path)
    options = {name: value for name, value in signature.options.items() if FORMATS[location.format].find_option(name) is not None}
    if location.format == signature.format:
        if signature.tokenizer and "tokenizer" not in options:
            raise DataError("the model reads text by a tokenizer, which an ONNX file does not have", "predict with the folder of the run")
        location = type(location)(location.format, location.path, {**options, **location.options}, location.file)
    return open_source(location, types)


def _open_images(paths: list[str], signature: ModelSignature, types: InputTypes) -> ImageFiles:
    require_pillow()
    if not paths:
        raise DataError(f"there is no image in it; the endings are {', '.join(ENDINGS)}")
    size = signature.options.get("size")
    size = tuple(size) if isinstance(size, list) else size
    return ImageFiles(paths, ImageDecoder.for_input(types[IMAGE], size) if IMAGE in types else ImageDecoder(3, True, size))


def _open_array(array: Any, column: str | None, types: InputTypes, signature: ModelSignature) -> ArraySource:
    """Open one array as the only input, or as its columns side by side."""
    values = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    if column is None:
        raise DataError("the model has several inputs", "pass a mapping of arrays by column")
    item = next((item for item in signature.inputs if item.name == column), None)
    if item is None or item.single:
        return ArraySource({item.columns[0] if item is not None else column: values})
    if values.ndim != 2 or values.shape[1] != len(item.columns):
        raise DataError(f"it has the shape {list(values.shape)}, and a row has {len(item.columns)} columns: {', '.join(item.columns)}")
    return ArraySource({name: values[:, i] for i, name in enumerate(item.columns)})
