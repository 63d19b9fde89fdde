"""Read JSON, and arrays in it: nested lists of numbers or booleans.

In: the bytes of a request. Out: Python values, or arrays. Always: what is no JSON by RFC 8259 is refused, such as NaN, and so are objects
with two values for a name, because Python's reader would ignore the first one. A boolean is no number, and no list of texts becomes an
array.

>>> read_array([[1, 2], [3, 4]])
array([[1, 2],
       [3, 4]])
>>> read_array([[1, 2], [3]])
Traceback (most recent call last):
netc.serving.json_arrays.NotAnArray: its lists differ in length: 2 and 1
"""

from __future__ import annotations

import json
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from ..training.data.data_source import Array
from .request_refused import MALFORMED, RequestRefused

_MAX_RANK = 32
_MAX_SHOWN = 40


class NotAnArray(ValueError):
    """A JSON value that is no array of numbers. The text completes "`name`: ..."."""


def read_json(body: bytes) -> Any:
    """Read JSON. Raises `RequestRefused`."""
    try:
        return json.loads(body, object_pairs_hook=_make_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise RequestRefused(MALFORMED, "the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise RequestRefused(MALFORMED, "the body is not UTF-8") from None
    except ValueError as error:
        reason = str(error) if isinstance(error, (json.JSONDecodeError, _Refused)) else "a number has too many digits"
        raise RequestRefused(MALFORMED, f"the body is not JSON: {reason}") from None


class _Refused(ValueError):
    pass


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"an object has two values for {show_value(duplicate)}")
    return result


def _refuse_constant(word: str) -> NoReturn:
    raise _Refused(f"JSON has no {word}")


def read_array(value: Any) -> Array:
    """Return the array of a number, a boolean or nested lists: int64, float64 or bool. Raises `NotAnArray`."""
    shape, flat = flatten_lists(value)
    kinds = set(map(type, flat))
    if kinds <= {bool} and flat:
        return np.array(flat, np.bool_).reshape(shape)
    if not kinds <= {int, float}:
        raise NotAnArray(f"it has {_describe_strange(flat)}, which is no number")
    try:
        array = np.array(flat, np.float64 if float in kinds or not flat else np.int64).reshape(shape)
    except OverflowError:
        raise NotAnArray("it has an integer that does not fit into 64 bits") from None
    if not np.isfinite(array).all():  # Python reads 1e999 as infinity
        raise NotAnArray("it has a number that does not fit into 64 bits")
    return array


def flatten_lists(value: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of nested lists, and their elements in order. Raises `NotAnArray` if lists differ in length."""
    shape: list[int] = []
    flat = [value]
    while flat and type(flat[0]) is list:
        lengths = {len(item) if type(item) is list else -1 for item in flat}
        if len(lengths) > 1:
            if -1 in lengths:
                raise NotAnArray("its lists have lists and single values at the same depth")
            raise NotAnArray(f"its lists differ in length: {' and '.join(map(str, sorted(lengths, reverse=True)[:2]))}")
        shape.append(len(flat[0]))
        if len(shape) > _MAX_RANK:
            raise NotAnArray("its lists are nested too deeply")
        flat = list(chain.from_iterable(flat))
    return tuple(shape), flat


def _describe_strange(flat: list[Any]) -> str:
    return show_value(next(item for item in flat if type(item) not in (int, float)))


def show_value(value: Any) -> str:
    """Return a value for a message, as JSON, and not more than the beginning of a long one."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            text = json.dumps(value[:_MAX_SHOWN], ensure_ascii=False)
            return f"`{text[:-1]}...`" if len(value) > _MAX_SHOWN else f"`{text}`"
    try:
        text = json.dumps(value)
    except ValueError:  # Python does not print integers of more than 4300 digits
        text = "a large integer"
    return f"`{text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '...'}`"
