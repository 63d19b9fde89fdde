"""Names the numbers that constant folding computes from an initializer, so that a parameter keeps its name.

A transposed `fc.weight` is still `fc.weight`, with a layout that says `|T`.

In: a node, and the numbers of its inputs. Out: its result, as numbers with a name and a layout. Always: a parameter that is only moved or
converted stays that parameter. Results with the same name and layout are the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import onnx

from .fold import MOVED
from .onnx_files import read_attributes
from .onnx_names import is_made_up
from .onnx_values import Item, Known, transpose_known

_SAME = ("Identity", "Cast", "CastLike", "DequantizeLinear")
"""The operators that keep the shape and the order of a weight, so it keeps its name."""


TRANSPOSED = "/Transpose"
"""The suffix that netc adds to the name of a matrix that it writes with swapped axes."""


def make_initializer(array: Any, name: str) -> Known:
    """Return the numbers of an initializer under its name."""
    # netc writes matrices as MatMul takes them, so that quantizers find constants. Here they get their own layout and name back.
    if array.ndim == 2 and name.endswith(TRANSPOSED) and not is_made_up(name):
        return transpose_known(Known(array.T, name.removesuffix(TRANSPOSED)))
    return Known(array, name)


def derive_weight(node: onnx.NodeProto, inputs: Sequence[Item], result: Any, output: int) -> Known:
    """Return the folded numbers under the name of their initializer, with a layout that says how they were made."""
    first = inputs[0]
    if not isinstance(first, Known) or not first.name:
        return Known(result)
    if node.op_type == "Transpose" and first.array.ndim == 2 and result.shape == first.array.shape[::-1]:
        return transpose_known(first) if list(read_attributes(node).get("perm", [1, 0])) == [1, 0] else first
    # A conversion keeps the name, and the layout records the type.
    if node.op_type in _SAME:
        return Known(result, first.name, first.layout + ("" if node.op_type == "Identity" else f"|{result.dtype}"))
    # Two results of one weight are equal only if their other operands are equal too.
    others = [_describe_origin(item) for item in inputs[1:] if isinstance(item, Known)]
    return Known(result, first.name, _shorten_layout(f"{first.layout}|{node.op_type}:{output}:{read_attributes(node)!r}:{others}"))


def _shorten_layout(layout: str) -> str:
    """Shorten a long layout to its digest. In a chain of nodes that each use a tensor twice, its length would double at each node."""
    return layout if len(layout) < 256 else f"|{sha256(layout.encode()).hexdigest()}"


def _describe_origin(known: Known) -> str:
    """Identify numbers by a short text."""
    if known.name and not is_made_up(known.name):
        return f"{known.name}|{known.layout}"
    return f"{known.array.dtype}{known.array.shape}{sha256(np.ascontiguousarray(known.array).tobytes()).hexdigest()}"


def is_of_weights(node: onnx.NodeProto, inputs: Sequence[Item]) -> bool:
    """Return whether a node computes with a parameter instead of moving its elements. Such a node stays in the graph, so that the parameter
    can be trained."""
    if node.op_type in MOVED or node.op_type in _SAME:
        return False
    floats = [item for item in inputs if isinstance(item, Known) and item.array.dtype.kind == "f" and item.array.size > 1]
    return any(not item.layout and not is_made_up(item.name) for item in floats)
