"""ONNX files as typed graphs.

In: a file or a model, and the values of inputs or the sizes of axes that are decided now. Out: an `Imported`, or an `ImportFailed` with all
that has no counterpart. Always: nothing of a file is run, nothing outside of its folder is read; weights have the keys of the program.
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
    """The model of an ONNX file.

    `fixed` has values of inputs that are no longer inputs then, and sizes of symbolic axes, by the file's names. With `dequantize`, a
    quantized file is read as the float model that was quantized. `outputs` are the tensors that the model has as outputs, if not the file's
    own.
    """
    return load_model(_read_model(path, outputs), Path(path).parent, fixed or {}, dequantize=dequantize)


def float_model(path: str | os.PathLike[str], outputs: Sequence[str] = ()) -> onnx.ModelProto:
    """The float model of a quantized file, all tensors inside. Raises `ImportFailed`."""
    return dequantize_model(_read_model(path, outputs), Path(path).parent)[0]


def read_whole(path: str | os.PathLike[str], outputs: Sequence[str] = ()) -> onnx.ModelProto:
    """The model of an ONNX file as it is, but with all tensors inside, and with these outputs, if there are any. Raises `ImportFailed`."""
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
