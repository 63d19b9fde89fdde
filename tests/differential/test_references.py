"""The references themselves: every operator has one, which takes no tensor too many, and sees an error that all emitters have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import netc
from netc.compiler.backends.onnx.onnx_emitters import EMITTERS
from netc.compiler.backends.torch import ops as _torch  # noqa: F401
from netc.compiler.backends.torch.torch_emitters import EMITTERS as TORCH_EMITTERS
from netc.compiler.dims import evaluate_dim
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ops import Operator
from netc.compiler.ops.arithmetic import Maximum, Minimum
from tests.differential import references
from tests.differential.references import REFERENCES, Call
from tests.differential.references.run import arguments, outputs, results
from tests.differential.values import NOT_DRAWN
from tests.parity import agree, inputs_for, sizes_of, tensor

pytestmark = pytest.mark.filterwarnings("ignore")
FIXED = [name for name, cls in sorted(Operator.registry.items()) if cls.operands and cls.arity()[1] is not None and name not in NOT_DRAWN]


def test_there_is_one_for_every_operator() -> None:
    missing = Operator.registry.keys() - REFERENCES.keys()
    assert not missing, f"how would a PyTorch user call them? Say it in REFERENCES of tests/ops/cases_FAMILY.py: {sorted(missing)}"
    assert not REFERENCES.keys() - Operator.registry.keys()


def test_each_is_written_once() -> None:
    names = [name for functions in references.FUNCTIONS for name in functions]
    assert len(names) == len(REFERENCES)


def test_none_asks_an_emitter_or_a_rule() -> None:
    folder = Path(references.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    assert "compiler.backends" not in text
    assert ".check_and_infer(" not in text
    assert ".infer_types(" not in text


@pytest.mark.parametrize("name", FIXED)
def test_a_tensor_too_many_is_refused(name: str) -> None:
    """An emitter ignores what it does not know of; PyTorch does not."""
    model = netc.compile(max(Operator.registry[name].examples, key=lambda text: text.count("input")))
    node = next(use.node for use in FlatGraph(model.program.main).iterate_operators() if use.node.op.name == name)
    sizes = dict.fromkeys(model.program.symbols, 4)
    tensors = [torch.ones([evaluate_dim(d, sizes) for d in v.type.shape]).to(getattr(torch, v.type.dtype.name)) for v in node.inputs]
    surplus = [tensors[-1]] * (1 + Operator.registry[name].arity()[1] - len(tensors))
    assert results(REFERENCES[name], Call(arguments(node.op, sizes)), tensors)
    with pytest.raises((AttributeError, RuntimeError, TypeError, ValueError)):
        REFERENCES[name](Call(arguments(node.op, sizes)), *tensors, *surplus)


def test_emitters_that_err_alike_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here both write the minimum for the maximum."""
    for table in (TORCH_EMITTERS.functions, EMITTERS):
        monkeypatch.setitem(table, Maximum, partial(_instead, table[Minimum]))
    with pytest.raises(AssertionError, match="module, output"):
        agree(netc.compile("a = input 3; b = input 3; (a, b) -> maximum"))


def _instead(emitter: Callable[..., Any], op: Operator, site: Any) -> Any:
    return emitter(Minimum(), site)


def test_whole_models_run_by_references() -> None:
    """Calls, repeated and shared stages, ties, several outputs: the same parameters, by name."""
    model = netc.compile(
        "block cell(k) { dense k relu as fc }\n"
        "x = input [T] int64\n"
        "shared turn = dense 4\n"
        "h = x -> embedding 7 4 as words -> repeat 2 as layers { cell 4 -> turn }\n"
        "y = h -> dense 7 bias=false tie=words as head\n"
        "out h, y"
    )
    module = model.module(seed=1).eval()
    sizes = sizes_of(model)[1]
    fed = [tensor(array, type_) for array, type_ in zip(inputs_for(model, sizes).values(), model.inputs.values(), strict=True)]
    found = outputs(model.program, module.state_dict(), fed, sizes)
    for left, right in zip(found, module(*fed), strict=True):
        torch.testing.assert_close(left, right)
