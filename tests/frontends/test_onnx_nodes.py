"""The tests of the `onnx` package, with inputs and the outputs that they must have: node tests, each of one operator, and small files of
operator sets 6 to 12.

An input that netc must know at compile time, such as a shape, is fixed; the first is always a tensor.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

import netc
from netc.compiler.frontends.imported_model import Imported, ImportFailed
from netc.compiler.frontends.onnx import from_model
from netc.compiler.ir.verify import verify_program

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]

DIFFERENT = {
    # which of equal elements comes first
    "test_top_k_same_values",
    "test_top_k_same_values_2d",
    "test_top_k_same_values_largest",
}
LEAST = 1060
"""Of about 1,500; the others are refused, each with a reason."""


def _tensors(infos: Any) -> bool:
    return all(i.type.WhichOneof("value") == "tensor_type" and i.type.tensor_type.elem_type != onnx.TensorProto.STRING for i in infos)


def _imported(model: onnx.ModelProto, inputs: dict[str, Any]) -> tuple[Imported, list[str]] | None:
    """With as few inputs fixed as will do; None if the model is refused."""
    names = list(inputs)
    small = [n for n in names[1:] if inputs[n].dtype.kind in "iub" or inputs[n].ndim <= 1]
    for fixed in ([], small, names[1:], names[2:], [n for n in names if inputs[n].ndim == 0]):
        if fixed and len(fixed) == len(names):
            continue
        try:
            made = from_model(model, fixed={n: inputs[n] for n in fixed})
        except ImportFailed as failed:
            assert all(o.why and o.where for o in failed.obstacles)  # noqa: PT017
            continue
        return made, [n for n in names if n not in fixed]
    return None


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto) and value.data_type != onnx.TensorProto.STRING:
        return numpy_helper.to_array(value)
    return value


def _cases() -> Iterator[Any]:
    for case in load_model_tests(kind="node"):
        if "_expanded" not in case.name and "empty_set" not in case.name and case.name not in DIFFERENT:
            yield case
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    for kind in ("pytorch-converted", "pytorch-operator", "simple"):
        for folder in sorted((data / kind).glob("*/test_data_set_0")):
            yield _Stored(f"{kind}/{folder.parent.name}", onnx.load(folder.parent / "model.onnx"), folder)


class _Stored:
    """A test that is a folder."""

    def __init__(self, name: str, model: onnx.ModelProto, folder: Path) -> None:
        self.name, self.model = name, model
        self.data_sets = [tuple([_tensor(folder / f"{way}_{n}.pb") for n in range(len(list(folder.glob(f"{way}_*.pb"))))] for way in WAYS)]


WAYS = ("input", "output")


def _tensor(path: Path) -> Any:
    return onnx.TensorProto.FromString(path.read_bytes())


def _run(case: Any) -> str:
    model, (given, wanted) = case.model, case.data_sets[0]
    given, wanted = ([_array(v) for v in values] for values in (given, wanted))
    values = [*given, *wanted]
    plain = _tensors([*model.graph.input, *model.graph.output]) and all(isinstance(v, np.ndarray | np.generic) for v in values)
    if not plain or any(np.asarray(v).dtype.name == "bfloat16" for v in values):
        return "not of tensors"
    inputs = {i.name: np.asarray(v) for i, v in zip(model.graph.input, given, strict=False)}
    found = _imported(model, inputs)
    if found is None:
        return "refused"
    made, names = found
    verify_program(made.program)
    module = netc.Model(made.program).module(dict(made.weights)).eval()
    with torch.no_grad():
        results = module(*(torch.from_numpy(np.array(inputs[n])) for n in names))
    for result, reference in zip(results if isinstance(results, tuple | list) else [results], wanted, strict=True):
        ref = np.asarray(reference)
        assert (result.numpy().shape, result.numpy().dtype) == (ref.shape, ref.dtype)
        tolerance = 1e-3 if ref.dtype != np.float16 else 2e-2
        np.testing.assert_allclose(result.numpy(), ref, rtol=tolerance, atol=tolerance / 20)
    return "equal"


def main() -> None:
    """Runs all cases, and prints those that are wrong and the numbers of results."""
    found: Counter[str] = Counter()
    wrong: list[str] = []
    for case in _cases():
        try:
            found[_run(case)] += 1
        except Exception as error:  # all that are wrong are listed
            wrong.append(f"{case.name}: {type(error).__name__} {str(error)[:200]}")
    print(json.dumps([wrong, found]))


def test_every_node_test_is_equal_or_refused() -> None:
    """In a process of its own: what other tests leave after them has been seen to change one of the results."""
    command = [sys.executable, "-W", "ignore", "-c", "from frontends.test_onnx_nodes import main; main()"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    wrong, found = json.loads(done.stdout.splitlines()[-1])
    assert not wrong
    assert found["equal"] >= LEAST, found


if __name__ == "__main__":
    main()
