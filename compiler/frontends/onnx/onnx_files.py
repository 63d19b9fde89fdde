"""Reads ONNX files and their tensors, which may come from anyone.

In: a path, or a `ModelProto`. Out: the model and arrays. A file that cannot be read raises `Unreadable`. Always: nothing outside of the
model's folder is read, and nothing larger than the file is allocated.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, defs, helper, numpy_helper

from ...types.numpy_types import Array

LARGEST_FILE = 2**34
_SCALED = {TensorProto.UINT4, TensorProto.INT4, TensorProto.FLOAT4E2M1}


class Unreadable(Exception):
    """The file cannot be read. The text completes "the file ..."."""


def read_model(path: str | os.PathLike[str]) -> ModelProto:
    """Read the model of a file. Its external data is read later, tensor by tensor."""
    try:
        size = os.stat(path).st_size
        # A FIFO would block, and a device may never end.
        if not os.path.isfile(path):
            raise Unreadable("is no regular file")
        if size > LARGEST_FILE:
            raise Unreadable(f"has {size} bytes, more than is read")
        data = Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from None
    except ValueError:  # a NUL, a surrogate
        raise Unreadable("cannot be read: no file can have this name") from None
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:  # protobuf's own class of error has no name that is public
        raise Unreadable("is no ONNX model: its content has another format") from None
    if not model.HasField("graph"):
        raise Unreadable("is no ONNX model: it has no graph")
    return model


def load_external_data(model: ModelProto, folder: Path) -> None:
    """Replace the references to other files in a model by the tensors in them.

    `onnx.load` would refuse symbolic links, and files with several hard links, as package managers make them, even if ONNX Runtime
    reads them. Raises `Unreadable`.
    """
    for tensor in _tensors_of(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            numbers = read_tensor(tensor, folder)
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.raw_data = numbers.tobytes()


def _tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """Yield the stored tensors of a model: of its graphs, and of the attributes of its nodes."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            yield from (attribute.t, *attribute.tensors)
            graphs += (attribute.g, *attribute.graphs)


def choose_outputs(model: ModelProto, names: Sequence[str]) -> None:
    """Replace the outputs of a model by these tensors of its graph, in this order. Raises `Unreadable` for an unknown name."""
    outputs = {info.name: info for info in model.graph.output}
    node_results = {name for node in model.graph.node for name in node.output if name}
    for name in names:
        if name not in outputs and name not in node_results:
            raise Unreadable(f"makes no tensor `{name}`; its outputs are {', '.join(f'`{o}`' for o in outputs)}")
    chosen = [outputs.get(name) or ValueInfoProto(name=name) for name in names]
    del model.graph.output[:]
    model.graph.output.extend(chosen)


def require_text(model: ModelProto) -> None:
    """Refuse a model with names that are not text: protobuf returns bytes that are not UTF-8 as bytes."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    names: list[object] = [
        *(o.domain for o in model.opset_import),
        *(f.name for f in model.functions),
        *(f.domain for f in model.functions),
    ]
    names += [name for f in model.functions for name in (*f.input, *f.output)]
    while graphs:
        graph = graphs.pop()
        names += [graph.name, *(i.name for i in (*graph.input, *graph.output, *graph.initializer))]
        names += [d.dim_param for i in graph.input for d in i.type.tensor_type.shape.dim]
        names += [text for t in graph.initializer for e in t.external_data for text in (e.key, e.value)]
        nodes += graph.node
        while nodes:
            node = nodes.pop()
            names += [node.op_type, node.domain, node.name, *node.input, *node.output, *(a.name for a in node.attribute)]
            names += [text for entry in node.metadata_props for text in (entry.key, entry.value)]
            names += [a.ref_attr_name for a in node.attribute]
            graphs += [inner for a in node.attribute for inner in (a.g, *a.graphs)]
    if not all(isinstance(name, str) for name in names):
        raise Unreadable("has names that are no text")


def require_known_versions(model: ModelProto) -> None:
    """Refuse operator sets that do not exist, or that are newer than the installed onnx, which does not define their operators."""
    newest = defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and not 1 <= entry.version <= newest:
            raise Unreadable(f"uses operator set {entry.version}, and the installed onnx package has the sets 1 to {newest}")


def read_tensor(tensor: TensorProto, folder: Path | None) -> Array:
    """Read the numbers of a tensor."""
    code = tensor.data_type
    if code == TensorProto.STRING:
        raise Unreadable(f"has a tensor of strings, `{tensor.name}`, which netc does not have")
    if code in (TensorProto.UNDEFINED,) or code not in TensorProto.DataType.values():
        raise Unreadable(f"has a tensor `{tensor.name}` without a type")
    if tensor.HasField("segment"):
        raise Unreadable(f"has a tensor in segments, `{tensor.name}`")
    shape = tuple(tensor.dims)
    if any(d < 0 for d in shape):
        raise Unreadable(f"has a tensor `{tensor.name}` with a negative size")
    count = 1
    for d in shape:
        count *= d
    if tensor.data_location == TensorProto.EXTERNAL:
        return _read_external(tensor, shape, count, folder)
    # Checked before NumPy allocates: the dimensions of a damaged file may promise terabytes.
    stored = _count_stored(tensor, code)
    if stored is not None and stored < 0:
        raise Unreadable(f"has a tensor `{tensor.name}` whose last number is cut off")
    if stored is not None and stored != count:
        raise Unreadable(f"has a tensor `{tensor.name}` of {count} elements with {stored} numbers")
    try:
        result: Array = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, MemoryError) as error:
        raise Unreadable(f"has a tensor `{tensor.name}` that is damaged: {error}") from None
    return result


def _count_stored(tensor: TensorProto, code: int) -> int | None:
    """Count the elements that the tensor holds. None for types with several elements in a byte."""
    if code in _SCALED:
        return None
    if tensor.HasField("raw_data"):
        width = helper.tensor_dtype_to_np_dtype(code).itemsize
        return -1 if len(tensor.raw_data) % width else len(tensor.raw_data) // width
    field: Any = getattr(tensor, helper.tensor_dtype_to_field(code))
    return len(field) // 2 if code in (TensorProto.COMPLEX64, TensorProto.COMPLEX128) else len(field)


def _read_external(tensor: TensorProto, shape: tuple[int, ...], count: int, folder: Path | None) -> Array:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise Unreadable(f"has its tensor `{tensor.name}` in the file {location!r}, and it is not known where that is")
    path = _resolve_inside(folder, location, tensor.name)
    if tensor.data_type in _SCALED:
        raise Unreadable(f"has a tensor of elements smaller than a byte in another file, `{tensor.name}`")
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    try:
        offset = _count_bytes(entries.get("offset", "0"))
        length = _count_bytes(entries.get("length", str(count * dtype.itemsize)))
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise Unreadable(f"has its tensor `{tensor.name}` in the file {location!r}, which cannot be read: {error}") from None
    # The size of the data file decides what is read, so a file cannot ask for more memory than it has.
    if length != count * dtype.itemsize or offset < 0 or offset + length > size:
        raise Unreadable(f"says that its tensor `{tensor.name}` has {length} bytes from {offset} of {location!r}, which is not so")
    with path.open("rb") as file:
        file.seek(offset)
        return np.frombuffer(file.read(length), dtype=dtype).reshape(shape)


def _count_bytes(text: str) -> int:
    """Parse a number of bytes as ONNX Runtime does: digits alone. `int` also accepts spaces, signs, underscores and other alphabets."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no number of bytes")
    return int(text)


def _resolve_inside(folder: Path, location: str, name: str) -> Path:
    """Return the path of a data file, with links resolved. It must be inside the folder of the model."""
    base = folder.resolve()
    # `resolve` raises for a NUL. The folder itself is no file, so it is refused below.
    path = base if "\0" in location else (base / location).resolve()
    if not location or Path(location).is_absolute() or not path.is_relative_to(base) or not os.path.isfile(path):
        raise Unreadable(f"has its tensor `{name}` in {location!r}, which is no file in the folder of the model")
    return path


def read_attributes(node: Any) -> dict[str, Any]:
    """Return the attributes of a node as Python values. Tensors and graphs stay as they are."""
    return {a.name: _read_attribute(a) for a in node.attribute}


def _read_attribute(attribute: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, Iterable) or isinstance(value, str):
        return value
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value]
