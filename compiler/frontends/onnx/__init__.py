"""Reads ONNX files as typed graphs.

The order of the work is in load_model.py: read the file, name the sizes, import node by node, fold patterns, divide into modules.

In: a file or a model, and values of inputs or sizes of axes that are fixed now. Out: an `Imported`, or an `ImportFailed` that lists
everything without a counterpart. Always: nothing of a file is run, and nothing outside of its folder is read. Weights have the keys of the
program.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from ..imported_model import Imported, ImportFailed, Obstacle
from .dequantize import dequantize_model
from .load_model import load_model
from .onnx_files import Unreadable, choose_outputs, load_external_data, read_model

__all__ = ["float_model", "from_file", "from_model", "read_whole"]


def from_file(
    path: str | os.PathLike[str],
    *,
    fixed: Mapping[str, object] | None = None,
    dequantize: bool = False,
    outputs: Sequence[str] = (),
) -> Imported:
    """Import an ONNX file.

    `fixed` has values for inputs, which are no inputs then, and sizes for symbolic axes, by the file's names. With `dequantize`, a
    quantized file is read as the float model that was quantized. `outputs` are the tensors that become the outputs instead of the file's
    own.
    """
    return load_model(_read_model(path, outputs), Path(path).parent, fixed or {}, dequantize=dequantize)


def float_model(path: str | os.PathLike[str], outputs: Sequence[str] = ()) -> onnx.ModelProto:
    """Return the float model of a quantized file, with all tensors inside. Raises `ImportFailed`."""
    return dequantize_model(_read_model(path, outputs), Path(path).parent)[0]


def read_whole(path: str | os.PathLike[str], outputs: Sequence[str] = ()) -> onnx.ModelProto:
    """Return the model of an ONNX file with all tensors inside, and with the given outputs if there are any. Raises `ImportFailed`."""
    model = _read_model(path, outputs)
    try:
        load_external_data(model, Path(path).parent)
    except Unreadable as error:
        raise ImportFailed((Obstacle("the file", str(error), os.fspath(path)),)) from None
    return model


def _read_model(path: str | os.PathLike[str], outputs: Sequence[str]) -> onnx.ModelProto:
    try:
        model = read_model(path)
        if outputs:
            choose_outputs(model, outputs)
        return model
    except Unreadable as error:
        raise ImportFailed((Obstacle("the file", str(error), os.fspath(path)),)) from None


def from_model(model: onnx.ModelProto, *, fixed: Mapping[str, object] | None = None, dequantize: bool = False) -> Imported:
    """Import a model in memory, all of whose tensors are inside. See `from_file`."""
    return load_model(model, None, fixed or {}, dequantize=dequantize)
