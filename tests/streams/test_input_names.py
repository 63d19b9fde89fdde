"""Inputs of a stream may have any name, also the names of Python's own arguments."""

from __future__ import annotations

import pytest
import torch

import netc


@pytest.mark.parametrize("name", ["self", "state", "cls"])
def test_names_of_inputs_are_not_those_of_arguments(name: str) -> None:
    model = netc.compile(f"{name} = input [T, 3]; {name} -> cumsum 1")
    stream = model.stream("T").module()
    x = torch.randn(1, 4, 3)
    first, state = stream(stream.begin(), **{name: x[:, :2]})
    second, _ = stream(state, **{name: x[:, 2:]})
    torch.testing.assert_close(torch.cat([first["output"], second["output"]], 1), x.cumsum(1))
