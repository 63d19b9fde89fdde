"""Read the samples of a request: JSON rows, or image files.

In: an object with a value for each column, or a list of such objects; or the contents of image files. Out: a source, which a predictor
opens like any other data. Always: cells mean the same as in a table of `netc predict`; columns that the model does not read are ignored.
What is no cell, no array and no image is a `RequestRefused` that names the row and the column.

For example, `[{"width": 5.1, "species": "oak", "pixels": [[0, 1], [1, 0]]}]` is one row with a number, a text and an array.

    >>> list_rows({"width": 5.1}, 10)
    [{'width': 5.1}]
    >>> list_rows([], 10)
    Traceback (most recent call last):
    netc.serving.request_refused.RequestRefused: the list has no rows
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from ..prediction.predictor import Predictor
from ..training.data.data_source import Array, ArraySource, DataError, Indices, TableColumn
from ..training.data.pictures import ImageDecoder, decode_images
from ..training.data.table_cells import convert_objects
from .image_sizes import check_image_size
from .json_arrays import NotAnArray, read_array, show_value
from .request_refused import MALFORMED, TOO_LARGE, UNFIT, RequestRefused

Row = Mapping[str, Any]


class RequestRows(ArraySource):
    """The rows of a request, which may have none of the columns. Messages call the first one row 0."""

    def __init__(self, arrays: Mapping[str, Array], count: int) -> None:
        super().__init__(arrays)
        self._count = count

    def describe_sample(self, index: int) -> str:
        return f"row {index}"


class RequestImages:
    """Image files in memory, each with a name for messages."""

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, images: Sequence[tuple[str, bytes]], column: str, decoder: ImageDecoder) -> None:
        self._images, self._decoder = images, decoder
        name, content = images[0]
        self.columns: Mapping[str, TableColumn] = {column: decoder.describe_column(column, name, content)}

    def __len__(self) -> int:
        return len(self._images)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        return {name: decode_images(self._decoder, [self._images[int(index)] for index in indices]) for name in names}


def list_rows(content: Any, max_rows: int) -> list[Row]:
    """Return the rows of a JSON body. Raises `RequestRefused`."""
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise RequestRefused(MALFORMED, "the body must be an object with a value for each column, or a list of such objects")
    wrong = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise RequestRefused(MALFORMED, f"row {wrong} is {show_value(rows[wrong])}, not an object with a value for each column")
    if not rows:
        raise RequestRefused(UNFIT, "the list has no rows")
    check_count(len(rows), max_rows)
    return rows


def check_count(count: int, max_rows: int) -> None:
    """Refuse more samples than a request may have."""
    if count > max_rows:
        raise RequestRefused(TOO_LARGE, f"the request has {count} rows, and the limit is {max_rows}: send several requests")


def make_rows_source(rows: Sequence[Row], predictor: Predictor) -> Any:
    """Return the rows as a source. Raises `RequestRefused`."""
    image = predictor.image_decoder
    if image is not None and image[0] in rows[0]:
        return make_image_source([(f"row {i}", _decode_base64(i, image[0], row.get(image[0]))) for i, row in enumerate(rows)], predictor)
    present = {name for row in rows for name in row}
    arrays = dict(_read_columns(rows, predictor, present))
    if len(arrays) < len(predictor.columns):  # the names of the other columns may be misspelled ones
        arrays |= {name: np.zeros(len(rows)) for name in sorted(present) if name not in arrays}
    return RequestRows(arrays, len(rows))


def make_image_source(images: Sequence[tuple[str, bytes]], predictor: Predictor) -> RequestImages:
    """Return image files as a source. `images` has the name of each for messages. Raises `RequestRefused` and `DataError`."""
    found = predictor.image_decoder
    if found is None:
        raise RequestRefused(UNFIT, f"the model reads no images: its columns are {', '.join(predictor.columns)}")
    for name, content in images:
        check_image_size(name, content)
    return RequestImages(images, *found)


def _read_columns(rows: Sequence[Row], predictor: Predictor, present: set[str]) -> Iterator[tuple[str, Array]]:
    shapes, types = predictor.column_shapes, predictor.column_types
    for name in predictor.columns:
        if name in present:
            values = [row.get(name) for row in rows]
            if shapes[name] == ():
                yield name, _make_cells(name, values)
            else:
                encode = predictor.tokenizer.encode if predictor.tokenizer is not None and types[name].is_integer else None
                yield name, _stack_arrays(name, values, encode)


def _make_cells(name: str, values: list[Any]) -> Array:
    for index, value in enumerate(values):
        if isinstance(value, (list, dict)):
            raise RequestRefused(UNFIT, f"row {index} of the column `{name}` is {show_value(value)}, and must be one value")
        if isinstance(value, float) and not isfinite(value):  # Python reads 1e999 as infinity
            raise RequestRefused(UNFIT, f"row {index} of the column `{name}` is a number that does not fit into 64 bits")
    try:
        return convert_objects(values)
    except DataError as error:
        raise RequestRefused(UNFIT, f"the column `{name}`: {error}") from None


def _stack_arrays(name: str, values: list[Any], encode: Callable[[str], Array] | None) -> Array:
    """Stack the arrays of the rows. `encode` makes tokens of a text."""
    arrays = []
    for index, value in enumerate(values):
        if isinstance(value, str) and encode is not None:
            arrays.append(_encode_text(index, name, value, encode))
            continue
        try:
            arrays.append(read_array(value))
        except NotAnArray as error:
            raise RequestRefused(UNFIT, f"row {index} of the column `{name}`: {error}") from None
        if arrays[-1].shape != arrays[0].shape:
            shapes = f"{list(arrays[-1].shape)} in row {index}, and {list(arrays[0].shape)} in row 0"
            raise RequestRefused(UNFIT, f"the column `{name}` has the shape {shapes}: send rows of other shapes as requests of their own")
    return np.stack(arrays)


def _encode_text(index: int, name: str, text: str, encode: Callable[[str], Array]) -> Array:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestRefused(UNFIT, f"row {index} of the column `{name}` is no text in UTF-8: it has half of a character") from None
    return encode(text)


def _decode_base64(index: int, name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise RequestRefused(UNFIT, f"row {index} of the column `{name}` is {show_value(value)}, and must be an image file in base64")
    try:
        return base64.b64decode(value.partition(",")[2] if value.startswith("data:") else value, validate=True)
    except (binascii.Error, ValueError):
        raise RequestRefused(UNFIT, f"row {index} of the column `{name}` is not base64") from None
