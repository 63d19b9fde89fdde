"""Open the samples to predict: a path, images, a table in memory, or an array.

In: data of the caller, and the signature of the model. Out: a source. Always: the options of the training's format apply where the data has
the same format, so a table with `;` between its cells is read in the same way; a table with another separator is recognized by its names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..training.data.csv import find_separator
from ..training.data.data_formats import FORMATS, InputTypes, open_source, parse_location
from ..training.data.data_source import Array, ArraySource, DataError, Indices, Source, TableColumn
from ..training.data.images import ENDINGS, IMAGE, list_images
from ..training.data.pictures import ImageDecoder, decode_images, require_pillow
from ..training.data.python import fill_masked, make_source
from .model_signature import ModelSignature

CSV = "csv"
FILE = "file"
"""The column with the names of image files."""


class ImageFiles:
    """Images without labels."""

    decodes = True
    classes: tuple[str, ...] = ()

    def __init__(self, paths: list[str], column: str, decoder: ImageDecoder) -> None:
        self.paths, self.decoder = paths, decoder
        self.columns: Mapping[str, TableColumn] = {
            column: decoder.describe_column(column, paths[0], paths[0]),
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


def open_samples(data: Any, signature: ModelSignature, types: InputTypes, array_column: str | None, labeled: bool = False) -> Source:
    """Open the data of the caller. `labeled`: a folder of images has a folder for each class. Raises `DataError`."""
    if isinstance(data, (str, os.PathLike)):
        source = _open_path(os.fspath(data), signature, types, labeled)
    elif isinstance(data, (list, tuple)) and data and all(isinstance(item, (str, os.PathLike)) for item in data):
        source = _open_images([os.fspath(item) for item in data], signature, types)
    # a tensor is recognized without importing PyTorch
    elif isinstance(data, np.ndarray) or hasattr(data, "detach"):
        source = _open_array(data, array_column, types, signature)
    else:
        source = make_source(data)
    if not len(source):
        raise DataError("there are no samples in it")
    return source


def find_image_column(signature: ModelSignature, types: InputTypes) -> str | None:
    """Return the column of images, None if the model was not trained on images that netc decoded."""
    if signature.format == "images":
        return IMAGE
    # The columns of `datasets` have any name; the pixels of arrays have any scale, so no file can take their place.
    pictures = [name for name, type_ in types.items() if len(type_.shape) == 4]
    return pictures[0] if signature.format in ("hf", "parquet") and len(pictures) == len(types) == 1 else None


def _open_path(path: str, signature: ModelSignature, types: InputTypes, labeled: bool) -> Source:
    if labeled and signature.format == "images" and os.path.isdir(path):
        path = f"images:{path}"
    elif not labeled and find_image_column(signature, types) is not None:
        format, colon, folder = path.partition(":")
        folder = folder if colon and format == "images" else path
        if folder.lower().endswith(ENDINGS):
            return _open_images([folder], signature, types)
        if os.path.isdir(folder) and not _is_dataset(folder):
            return _open_images(list_images(folder), signature, types)
    location = parse_location(path)
    options = location.options
    if location.format == signature.format:
        known = {name: value for name, value in signature.options.items() if FORMATS[location.format].find_option(name) is not None}
        options = {**known, **options}
        if signature.tokenizer and "tokenizer" not in options:
            raise DataError("the model reads text by a tokenizer, which an ONNX file does not have", "predict with the folder of the run")
    if location.format == CSV and options.get("header", True):
        names = [column for item in signature.inputs for column in item.columns]
        options = {**options, "separator": find_separator(location.file or location.path, names, options.get("separator"))}
    return open_source(type(location)(location.format, location.path, options, location.file), types)


def _is_dataset(path: str) -> bool:
    return any(name.endswith((".json", ".parquet", ".arrow")) for name in os.listdir(path))


def _open_images(paths: list[str], signature: ModelSignature, types: InputTypes) -> ImageFiles:
    column = find_image_column(signature, types)
    if column is None:
        raise DataError("the model was not trained on image files", "pass a table, or arrays")
    require_pillow()
    if not paths:
        raise DataError(f"there is no image in it; the endings are {', '.join(ENDINGS)}")
    missing = next((path for path in paths if not os.path.isfile(path)), None)
    if missing is not None:
        raise DataError(f"there is no file `{missing}`")
    return ImageFiles(paths, column, _make_decoder(column, signature, types))


def find_image_decoder(signature: ModelSignature, types: InputTypes) -> tuple[str, ImageDecoder] | None:
    """Return the column of images and how they are decoded, None if the model was not trained on images that netc decoded."""
    column = find_image_column(signature, types)
    return None if column is None else (column, _make_decoder(column, signature, types))


def _make_decoder(column: str, signature: ModelSignature, types: InputTypes) -> ImageDecoder:
    size = signature.options.get("size")
    # JSON has lists where the options of training had tuples
    size = tuple(size) if isinstance(size, list) else size
    return ImageDecoder.for_input(types[column], size) if column in types else ImageDecoder(3, True, size)


def _open_array(array: Any, column: str | None, types: InputTypes, signature: ModelSignature) -> ArraySource:
    """Open one array as the only input, or as its columns side by side."""
    array = fill_masked(column or "", array) if isinstance(array, np.ma.MaskedArray) else array
    values = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    if column is None:
        raise DataError("the model has several inputs", "pass a mapping of arrays by column")
    item = next((item for item in signature.inputs if item.name == column), None)
    if item is None or item.single:
        return ArraySource({item.columns[0] if item is not None else column: values})
    if values.ndim != 2 or values.shape[1] != len(item.columns):
        raise DataError(f"it has the shape {list(values.shape)}, and a row has {len(item.columns)} columns: {', '.join(item.columns)}")
    return ArraySource({name: values[:, i] for i, name in enumerate(item.columns)})
