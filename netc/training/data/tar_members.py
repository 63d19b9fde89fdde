"""The members of a sample in a tar file, decoded by their endings.

In: the ending and the content of a member. Out: the description of its column, and a function that decodes the members of several samples.
Always: decoding runs no code: `.npy` files with objects and pickles are refused, as is every ending that is not known.

>>> column, decode = describe_member("cls", b"3", "sample 0 of `a.tar`")
>>> column.shape, str(column.dtype), decode([("sample 1", b"2"), ("sample 2", b"7")]).tolist()
((), 'int64', [2, 7])
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np

from netc.compiler.types.tensor_types import DType
from netc.dsl.record import replace

from .data_source import Array, DataError, TableColumn
from .images import ENDINGS as IMAGE_ENDINGS
from .pictures import ImageDecoder, decode_images

Contents = Sequence[tuple[str, bytes]]
"""Members, each after the description of its sample."""
MemberDecoder = Callable[[Contents], Array]


def is_image(name: str) -> bool:
    """Whether a member is an image by its ending.

    >>> is_image("jpg"), is_image("mask.png"), is_image("cls")
    (True, True, False)
    """
    return f".{name}".endswith(IMAGE_ENDINGS)


def describe_member(
    name: str, content: bytes, where: str, picture: ImageDecoder | None = None, wanted: DType | None = None
) -> tuple[TableColumn, MemberDecoder]:
    """Describe a column by the member of the first sample. `picture` decodes an image that an input reads, and `wanted` is the type of an
    input that reads the column. Raises `DataError`."""
    if picture is not None:
        return picture.describe_column(name, where, content), lambda contents: decode_images(picture, list(contents))
    parse = _PARSERS.get(name.rpartition(".")[2])
    if parse is None:
        column = TableColumn(name, (), None, "images" if is_image(name) else f"`.{name}` files")
    else:
        first = _parse_member(parse, name, where, content)
        column = _describe_numbers(name, first)
        # A text may write `1` for the float of this sample. The next sample may have `1.5`.
        if parse in (_parse_text, _parse_json) and column.dtype is not None and column.dtype.kind in "iu" and wanted and wanted.is_float:
            column = replace(column, dtype=np.dtype(np.float64))
    return column, partial(_stack_members, column, parse or np.asarray)


def _describe_numbers(name: str, first: Any) -> TableColumn:
    if isinstance(first, np.ndarray) and first.dtype.kind in "biufV" and not first.dtype.fields:
        return TableColumn(name, first.shape, first.dtype)
    return TableColumn(name, (), None, "text" if isinstance(first, str) else "objects")


def _parse_member(parse: Callable[[bytes], Any], name: str, where: str, content: bytes) -> Any:
    try:
        return parse(content)
    except (ValueError, OverflowError, RecursionError, EOFError) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"`{name}` of {where} cannot be decoded ({why})") from None


def _stack_members(column: TableColumn, parse: Callable[[bytes], Any], contents: Contents) -> Array:
    """Decode members to an array `[samples, ...]`. Raises `DataError` for a member that differs in shape or type from the first sample."""
    assert column.shape is not None
    stacked = np.empty((len(contents), *column.shape), column.dtype)
    for number, (where, content) in enumerate(contents):
        array = _parse_member(parse, column.name, where, content)
        if not isinstance(array, np.ndarray) or array.dtype.kind == "O":
            raise DataError(f"`{column.name}` of {where} is no number, and the first sample has {column.dtype} there")
        if array.shape != column.shape:
            shapes = f"{list(array.shape)}, and in the first sample {list(column.shape)}"
            raise DataError(f"`{column.name}` of {where} has the shape {shapes}", "give all samples one shape")
        if not np.can_cast(array.dtype, stacked.dtype):
            raise DataError(f"`{column.name}` of {where} is {array.dtype}, and {column.dtype} in the first sample", "give all one type")
        stacked[number] = array
    return stacked


def _parse_integer(content: bytes) -> Array:
    return np.asarray(int(content), np.int64)


def _parse_text(content: bytes) -> Any:
    """Parse a number in text; other text stays."""
    text = content.decode("utf-8").strip()
    for parse in (int, float):
        try:
            return np.asarray(parse(text))
        except ValueError:
            pass
    return text


def _parse_json(content: bytes) -> Any:
    value = json.loads(content)
    return value if isinstance(value, (str, dict)) or value is None else np.asarray(value)


def _parse_npy(content: bytes) -> Any:
    return np.load(BytesIO(content), allow_pickle=False)


_PARSERS: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(("cls", "cls2", "index", "inx", "id"), _parse_integer),
    **dict.fromkeys(("txt", "text", "transcript"), _parse_text),
    **dict.fromkeys(("json", "jsn"), _parse_json),
    "npy": _parse_npy,
}
"""The endings that `webdataset` decodes to numbers or text."""
