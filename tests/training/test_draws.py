"""Which operators draw numbers in training: what PyTorch's generator says after a forward pass."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.compiler.ops import Operator
from netc.training.source import may_draw_numbers
from tests.parity import inputs_for, run_module, sizes_of

TEXTS = [text for cls in Operator.registry.values() for text in cls.examples]
MODES = (
    "input 4 -> if training { dropout 0.5 } else { tanh }",
    "block b(p) { dense 4 -> dropout p }\ninput 4 -> repeat 2 as layers { b 0.1 }",
    "input [T, 4] -> lstm 4 num_layers=2 dropout=0.1",
    "input [T, 4] -> lstm 4 num_layers=2",
    "input [T, 8] -> multihead_attention 2 dropout=0.1",
)


def draws(model: netc.Model) -> bool:
    module = model.module(seed=1).train()
    arrays = inputs_for(model, sizes_of(model)[1])
    before = torch.default_generator.get_state()
    run_module(module, model, arrays)
    return not torch.equal(before, torch.default_generator.get_state())


@pytest.mark.parametrize("text", MODES)
def test_written_models(text: str) -> None:
    model = netc.compile(text)
    assert may_draw_numbers(model.program) == draws(model)


@pytest.mark.long
def test_examples() -> None:
    """A use that is said to draw may draw nothing, such as a pool that is given its samples. The other way round, runs would differ."""
    models = [netc.compile(text) for text in TEXTS]
    drawing = {model.spec() for model in models if draws(model)}
    said = {model.spec() for model in models if may_draw_numbers(model.program)}
    assert drawing <= said
    assert all("fractional_max_pool" in text or "drop" in text for text in said - drawing), said - drawing
