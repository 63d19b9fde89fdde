"""What is rewritten before it is emitted: the function and the keys of the state dict stay."""

from __future__ import annotations

import pytest
import torch

import netc


def dropouts(text: str) -> list[str]:
    modules = netc.compile(text).module().named_modules()
    return [name for name, module in modules if isinstance(module, torch.nn.Dropout)]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("input 3 -> dense 4 -> dropout 0 -> dense 2", []),
        ("input 3 -> dense 4 -> dropout 0.1 -> dense 2", ["dropout1"]),
        ("input 3 -> (dense 4 -> dropout 0.0) as head", []),
        ("input 3 -> (dense 4 -> dropout 0.0 -> dense 2) as head", ["head.1"]),
        ("block b(p) { dense 4 -> dropout p }; input 4 -> b 0.0 -> b 0", []),
        ("block b(p) { dense 4 -> dropout p }; input 4 -> b 0.0 -> b 0.1", ["b1.dropout1", "b2.dropout1"]),
        ("input 3 -> dropout 0", ["dropout1"]),
        ("block b { dropout 0 -> dropout 0 }; input 3 -> b -> dense 4", ["b1.dropout1", "b1.dropout2"]),
        ("shared d = dropout 0; input 3 -> d -> dense 4 -> d", ["d"]),
    ],
)
def test_dropout_that_never_drops_is_left_out(text: str, left: list[str]) -> None:
    model = netc.compile(text)
    assert dropouts(text) == left
    assert list(model.module().state_dict()) == list(model.parameters)
