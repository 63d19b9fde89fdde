"""One test of ONNX's suite, imported and run in PyTorch and in ONNX Runtime, against the outputs that the suite expects.

In: a `Case`. Out: a `Result`. Always: a file that is refused is tried once more with all inputs but the first as constants, since files
have sizes, axes and indices as constants, and the suite's tests as inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnx_suite.cases import Case
from suite_workers import CONSTANT, CRASHED, REFUSED, RIGHT, WRONG, Result

from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.types.numpy_types import is_float, to_array, to_tensor
from netc.importing.onnx_origin import make_onnx_origin
from netc.importing.output_judge import NotProved
from netc.importing.run_import import import_spec

TIES = "right but for the order of equal elements"
TIED = ("top_k_same_values", "top_k_same_values_2d", "top_k_same_values_largest")
"""Tests of which equal element comes first, which PyTorch does not say (docs/import.md)."""


class Differs(Exception):
    """An output is not what the suite expects."""


def judge(case: Case, *, prove: bool = True) -> Result:
    """Imports the model and runs it. With `prove`, the import also has to prove itself, as `netc import` does."""
    if not case.is_of_tensors():
        return _judged(case, case.model, False, REFUSED)
    first = _judged(case, case.model, prove, RIGHT)
    if first.outcome == REFUSED and len(case.model.graph.input) > 1:
        first = _judged(case, with_constants(case), prove, CONSTANT)
    tied = first.outcome == WRONG and case.name in TIED
    return Result(first.name, first.operator, TIES, first.why) if tied else first


def with_constants(case: Case) -> onnx.ModelProto:
    """The model with the first data set's inputs as initializers, but for the first input."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for info, array in list(zip(model.graph.input, case.data[0][0], strict=False))[1:]:
        model.graph.input.remove(info)
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), info.name))
    return model


def _judged(case: Case, model: onnx.ModelProto, prove: bool, good: str) -> Result:
    def result(outcome: str, why: str = "") -> Result:
        return Result(case.name, case.operator, outcome, why)

    try:
        note = _run(case, model, prove)
    except ImportFailed as error:
        return result(REFUSED, f"{error.obstacles[0].what} {error.obstacles[0].why}")
    except Differs as error:
        return result(WRONG, str(error))
    except NotProved as error:
        return result(WRONG, f"not proved: {error.what}")
    except Exception as error:  # whatever it is, it is counted
        return result(CRASHED, f"{type(error).__name__}: {str(error)[:300]}")
    return result(good, note)


def _run(case: Case, model: onnx.ModelProto, prove: bool) -> str:
    """Imports and compares. What is not compared, and why, is the result."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{case.name}.onnx"
        path.write_bytes(model.SerializeToString())
        made = import_spec(make_onnx_origin(str(path), {}), verify=prove)
    compiled = made.model
    module = compiled.module(compiled.weights).eval()
    note, session = "", None
    try:
        session = compiled.session(compiled.weights)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        note = "ONNX Runtime has no kernel"
    for inputs, outputs in case.data[:1] if len(model.graph.input) < len(case.model.graph.input) else case.data:
        given = dict(zip((i.name for i in case.model.graph.input), inputs, strict=False))
        feeds = [_converted(given[info.name], port.dtype) for info, port in zip(_inputs(model), compiled.inputs.values(), strict=True)]
        with torch.no_grad():
            _compare("PyTorch", [to_array(t) for t in _flat(module(*map(to_tensor, feeds)))], outputs, case)
        if session is not None:
            found = session(*feeds)
            _compare("ONNX Runtime", list(found.values()) if isinstance(found, Mapping) else [found], outputs, case)
    return note


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    stored = {tensor.name for tensor in model.graph.initializer}
    return [info for info in model.graph.input if info.name not in stored]


def _converted(array: Any, dtype: Any) -> Any:
    """The input in the type that the spec has for it: unsigned integers are int64."""
    own = np.asarray(array)
    return own if own.dtype.name == dtype.name else own.astype(np.dtype(dtype.name if dtype.name != "bfloat16" else ml_dtypes.bfloat16))


def _flat(made: Any) -> list[Any]:
    return [made] if isinstance(made, torch.Tensor) else [tensor for one in made for tensor in _flat(one)]


def _compare(target: str, found: Sequence[Any], wanted: Sequence[Any], case: Case) -> None:
    if len(found) != len(wanted):
        raise Differs(f"{len(found)} outputs in {target}, and {len(wanted)} expected")
    for number, (own, other) in enumerate(zip(found, wanted, strict=True)):
        a, b = np.asarray(own), np.asarray(other)
        if a.shape != b.shape:
            raise Differs(f"output {number} in {target} has the shape {list(a.shape)}, not {list(b.shape)}")
        if is_float(a):
            digit = 2 * float(ml_dtypes.finfo(b.dtype).eps)  # two of the last digits
            a, b = a.astype(np.float64), b.astype(np.float64)
            near = digit * float(np.max(np.abs(b), initial=0, where=np.isfinite(b)))
            if not np.allclose(a, b, rtol=max(case.rtol, digit), atol=max(case.atol, near), equal_nan=True):
                raise Differs(f"output {number} in {target} differs by {np.nanmax(np.abs(a - b)):.2g}")
        elif not np.array_equal(a, b):
            raise Differs(f"output {number} in {target} differs")
