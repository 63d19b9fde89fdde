"""Losses: the mean is the total divided by the count, except of `ctc_loss`, and gradients are PyTorch's.

PyTorch is the judge: the references of the operators are called, with gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from case_ids import case_id

import netc
from netc.compiler.dims import SymDim, evaluate_dim
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ops.classification_loss import LinearCrossEntropy
from netc.compiler.ops.loss import Count, Loss
from netc.compiler.ops.operator import OpInputs
from netc.compiler.ops.sequence_loss import CtcLoss
from tests.case_families import FAMILIES
from tests.differential.references import REFERENCES
from tests.differential.references.call import Call
from tests.differential.references.run import arguments
from tests.parity import sizes_of

LOSSES = [module for family, module in FAMILIES.items() if family.endswith("_loss") and family != "sequence_loss"]
TEXTS = [text for module in LOSSES for text in module.CASES if "float16" not in text]
each = pytest.mark.parametrize("text", TEXTS, ids=case_id)


def _loss_of(model: netc.Model) -> tuple[Loss, OpInputs]:
    """The last operator of the model."""
    *_, last = FlatGraph(model.program.main).iterate_operators()
    op = last.node.op
    assert isinstance(op, Loss)
    return op, op.bind_inputs(tuple(v.type for v in last.node.inputs), model.program.facts)


def _drawn(given: OpInputs, sizes: dict[str, int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    found = []
    for type_ in given.types:
        shape = [evaluate_dim(d, sizes) for d in type_.shape]
        dtype = getattr(torch, type_.dtype.name)
        made = (
            torch.rand(shape, generator=generator) * 0.8 + 0.1 if type_.dtype.is_float else torch.randint(0, 2, shape, generator=generator)
        )
        found.append(made.to(dtype))
    return found


def _apply(op: Any, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    result = REFERENCES[op.name](Call(arguments(op)), *tensors)
    assert isinstance(result, torch.Tensor)
    return result


def _counted(count: Count, given: OpInputs, tensors: Sequence[torch.Tensor], sizes: dict[str, int]) -> torch.Tensor:
    if isinstance(count, int | SymDim):
        return torch.tensor(float(evaluate_dim(count, sizes)))
    values = dict(zip(given.names, tensors, strict=True))
    for step in count:
        values[step.name] = _apply(step.op, [values[name] for name in step.inputs])
    return values[count[-1].name]


def _mean(op: Loss) -> str:
    """The operator's own, or the usual one."""
    return op.reduction if "mean" in op.reduction else "mean"


@each
def test_mean_is_total_by_count(text: str) -> None:
    model = netc.compile(text)
    op, given = _loss_of(model)
    mean = type(op)(**{**op.args, "reduction": _mean(op)})
    sizes = sizes_of(model)[1]
    tensors = _drawn(given, sizes)
    assert mean.is_mean
    assert not mean.make_total().is_mean
    count = mean.mean_divisor(given)
    assert count is not None
    quotient = _apply(mean.make_total(), tensors) / _counted(count, given, tensors, sizes)
    torch.testing.assert_close(quotient, _apply(mean, tensors), equal_nan=True, rtol=1e-5, atol=1e-6)


ALONE = [text for text in TEXTS if len(list(FlatGraph(netc.compile(text).program.main).iterate_operators())) == 1]


@pytest.mark.parametrize("text", ALONE, ids=case_id)
def test_gradients(text: str) -> None:
    """The module's results equal the results of PyTorch's function."""
    model = netc.compile(text)
    op, given = _loss_of(model)
    drawn = _drawn(given, sizes_of(model)[1])
    found, wanted = ([x.clone().requires_grad_(x.is_floating_point() and i == 0) for i, x in enumerate(drawn)] for _ in range(2))
    model.module().train()(*found).sum().backward()
    _apply(op, wanted).sum().backward()
    assert found[0].grad is not None
    close = 1e-6 if isinstance(op, LinearCrossEntropy) else 0  # it adds up the gradients in another order
    torch.testing.assert_close(found[0].grad, wanted[0].grad, equal_nan=True, rtol=close, atol=close)


def test_no_count() -> None:
    """Each loss is divided by a length of its own."""
    _, given = _loss_of(netc.compile(CtcLoss.examples[0]))
    assert CtcLoss().mean_divisor(given) is None
    assert not CtcLoss().is_mean
