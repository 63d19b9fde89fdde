"""Makes the inputs of an imported graph.

In: an input of the file, the sizes that are known of it, and the values that the user has fixed. Out: a tensor, or a known value. Always:
an input that netc cannot have raises `ImportRefused`, which says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np
import onnx

from ...types.numpy_types import numpy_dtype
from ...types.tensor_types import TensorType
from ..graph_builder import ImportRefused
from .emitter import Emitter
from .importer_site import to_dtype
from .input_dimensions import InputDimensions
from .onnx_values import Item, Known


def make_input(
    info: onnx.ValueInfoProto,
    make_name: Callable[[str, str], str],
    dimensions: InputDimensions,
    fixed: Mapping[str, object],
    emit: Emitter,
) -> Item:
    """Make an input of the graph, or its value if that is fixed. `make_name` returns a free identifier for a name and its replacement."""
    dtype = to_dtype(info.type.tensor_type.elem_type)
    if info.name in fixed:
        shape = tuple(d if isinstance(d, int) else 1 for d in dimensions.shapes.get(info.name, ()))
        try:
            return Known(np.broadcast_to(np.asarray(fixed[info.name], dtype=numpy_dtype(dtype)), shape).copy())
        except (ValueError, TypeError, OverflowError):
            raise ImportRefused(f"{fixed[info.name]!r} is no {dtype} of shape {list(shape)}") from None
    if info.name not in dimensions.shapes:
        raise ImportRefused("its number of axes is not known")
    if 0 in dimensions.shapes[info.name]:
        raise ImportRefused("it has an axis of size 0")
    # The number of elements of such a shape overflows int64.
    if prod(d for d in dimensions.shapes[info.name] if isinstance(d, int)) >= 2**62:
        raise ImportRefused(f"its shape is {list(dimensions.shapes[info.name])}, which no memory holds")
    type_ = TensorType(dtype, tuple(dimensions.shapes[info.name]))
    value = emit.builder.add_input(type_, make_name(info.name, "input"))
    emit.called[id(value)] = info.name
    return value
