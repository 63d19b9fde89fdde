"""Bodies of loops that are one operator: the operator has the iteration's name only if its results are the body's, in this order."""

from __future__ import annotations

import pytest
import torch

import netc

BODIES = {
    "out y, h": ("r.0.", lambda y, h: (y, h)),
    "out h, y": ("r.0.0.", lambda y, h: (h, y)),
    "out y, y": ("r.0.0.", lambda y, h: (y, y)),
}


@pytest.mark.parametrize("out", BODIES)
def test_results_of_one_operator(out: str) -> None:
    prefix, pick = BODIES[out]
    spec = f"x = input [T, 4]\n(a, b) = x -> repeat 1 as r {{\n  (y, h) = in -> gru 4\n  {out}\n}}\nout a, b"
    module = netc.compile(spec).module()
    state = module.state_dict()
    assert {key.removesuffix(key.split(".")[-1]) for key in state} == {prefix}
    reference = torch.nn.GRU(4, 4, batch_first=True)
    reference.load_state_dict({key.removeprefix(prefix): value for key, value in state.items()})
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(tuple(module(x)), pick(*reference(x)))


def test_the_input_is_the_result_of_a_loop() -> None:
    """The operator is then one whose result nobody uses."""
    module = netc.compile("x = input 4\nx -> repeat 1 as r {\n  y = in -> dense 4\n  out in\n}").module()
    assert set(module.state_dict()) == {"r.0.0.weight", "r.0.0.bias"}
    x = torch.randn(2, 4)
    assert torch.equal(module(x), x)
