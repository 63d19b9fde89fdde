"""Whether a checkpoint fits a spec, without loading it: `netc check FILE --weights W`.

In: a checked program and the path of a checkpoint. Out: diagnostics, none if it fits. Of a .safetensors file only the header is read, so
that the time does not depend on its size; other formats have no separate header and are read whole.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netc.compiler.analysis.parameters import ParameterInfo, parameters
from netc.compiler.errors.weights import WeightsMismatch
from netc.compiler.ir.elements import Array, numpy_dtype
from netc.compiler.ir.types import DTYPES
from netc.compiler.weights.matching import WeightsError, load, match
from netc.dsl.diagnostics import Diagnostic, Mark
from netc.dsl.source import Span

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

_MARKS = 5
_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16"}
_NAMES |= {"I8": "int8", "U8": "uint8", "BOOL": "bool"}
"""Element types as safetensors calls them."""


def fit(program: Program, path: str) -> list[Diagnostic]:
    """What keeps the checkpoint from loading into the model, at the stages concerned."""
    infos = parameters(program)
    try:
        header = _header(path, infos) if Path(path).suffix.lower() == ".safetensors" and Path(path).is_file() else None
        match(infos, load(path) if header is None else header)
    except WeightsError as error:
        return [_diagnostic(error, infos, program.main.span)]
    return []


def _header(path: str, infos: dict[str, ParameterInfo]) -> dict[str, Array] | None:
    """Placeholders of the arrays' shapes and types, which take no memory; None if the header cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
            return {name: _placeholder(s.get_shape(), s.get_dtype(), infos.get(name)) for name, s in slices.items()}
    except (SafetensorError, OSError):
        return None


def _placeholder(shape: list[int], called: str, info: ParameterInfo | None) -> Array:
    dtype = DTYPES.get(_NAMES.get(called, ""))
    if dtype is None or info is None or dtype.is_float != info.dtype.is_float or dtype.is_integer != info.dtype.is_integer:
        element = numpy_dtype(dtype) if dtype is not None else np.dtype(np.complex64)
    else:
        element = numpy_dtype(info.dtype)  # it will be converted when it is loaded
    return np.broadcast_to(np.zeros((), element), tuple(shape))


def _diagnostic(error: WeightsError, infos: dict[str, ParameterInfo], whole: Span) -> Diagnostic:
    problem = error.problem
    misfits: list[tuple[str, str]] = []
    if isinstance(problem, WeightsMismatch):
        misfits = [(m.name, m.why) for m in problem.misfits] + [(name, "is not in the weights") for name in problem.missing]
    first: dict[Span, str] = {}
    for name, why in misfits:
        if name in infos:
            first.setdefault(infos[name].span, f"`{name}` {why}")
    (span, label), *others = list(islice(first.items(), _MARKS)) or [(Span(whole.file, whole.start, whole.start), "")]
    marks = tuple(Mark(s, text) for s, text in others)
    return Diagnostic("error", problem.code, problem.message(), span, label, marks, problem.notes(), problem.help())
