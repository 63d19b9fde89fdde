"""The numbers of iterations of loops as arguments: of what is repeated alike, however often, and of nothing else.

The judge is the compiler's other way to the same network: the spec elaborated with the other numbers.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

import netc

STAGES = "model m(depths=[2, 3], width=4) { input 4 -> repeat (s, n) in enumerate(depths) as stage{s + 1} { repeat i in 0..n { %s } } }"
BLOCK = "block b(width, first=false) { in + (in -> dense width -> if first { tanh } -> dense in.features) }\n"
COUNTED = {
    "one like the other": STAGES % "dense 4",
    "the first differs": STAGES % "dense (width * 2 ** s)",
    "the first is asked for": BLOCK + STAGES % "b width first=(i == 0)",
    "not the first": BLOCK + STAGES % "b width first=(i != 0)",
    "without a name": STAGES.replace("i in 0..n", "n") % "dense 4",
    "one, labeled": "model m(depths=1) { input 4 -> repeat depths as layers { in + (in -> dense in.features) } }",
    "labeled": "model m(depths=3) { input 4 -> repeat i in 0..depths as layers { dense 4 } }",
}
PINNED = {
    "the index is a number": STAGES % "dense 4 -> leaky_relu (0.1 * i)",
    "of two, the second is asked for": STAGES.replace("3", "2") % "if i == 1 { dense 4 } else { dense 4 tanh }",
    "the last is asked for": STAGES % "if i == n - 1 { dense 4 } else { dense 4 tanh }",
    "they grow": STAGES % "dense (in.features + 2)",
    "of two, they grow": STAGES.replace("3", "2") % "dense (in.features + 2)",
    "a single one that grows": "model m(depths=1) { input 4 -> repeat depths as layers { dense (in.features + 2) } }",
    "a single first one": STAGES.replace("2, 3", "1, 3") % "if i == 0 { dense 4 } else { dense 4 tanh }",
    "others after them": "model m(depths=3) { input 4 -> (repeat depths { dense 4 } -> dense 5) as body }",
    "others before them": "model m(depths=3) { input 4 -> (dense 4 -> repeat depths { dense 4 }) as body }",
    "two stages each": STAGES % "dense (width * 2 ** s) tanh",
    "one iteration": STAGES.replace("[2, 3]", "[1, 1]").replace("i in 0..n", "n") % "dense 4",
    "twice": "model m(depths=3) { input 4 -> (repeat depths { dense 4 } -> repeat 2 { dense 4 }) as body }",
}


def class_of(model: netc.Model) -> Any:
    scope: dict[str, Any] = {}
    exec(model.source(), scope)
    return [c for c in scope.values() if isinstance(c, type) and issubclass(c, torch.nn.Module)][-1]


@pytest.mark.parametrize("name", COUNTED)
def test_other_numbers(name: str) -> None:
    text = COUNTED[name]
    model = netc.compile(text)
    default = inspect.signature(class_of(model).__init__).parameters["depths"].default
    for others in ([2, 3], [4, 2], [3, 5], [2, 2]):
        given = others if isinstance(default, tuple) else others[0]
        wanted = netc.compile(text, params={"depths": given})
        module = class_of(model)(depths=tuple(others) if isinstance(default, tuple) else given)
        judge = wanted.module(seed=1)
        module.load_state_dict(judge.state_dict())
        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        torch.testing.assert_close(module(x), judge(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", PINNED)
def test_numbers_that_stay(name: str) -> None:
    assert "depths" not in inspect.signature(class_of(netc.compile(PINNED[name])).__init__).parameters
