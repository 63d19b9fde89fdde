"""`if training`: the module and its source do what the mode says, and are what one would have written for that mode alone."""

from __future__ import annotations

import re

import onnx
import pytest
import torch

import netc
from netc.compiler.analysis.model_cost import summarize_costs
from tests.parity import agree, executed, flattened, inputs_for, sizes_of, tensor

HEADS = """\
x = input 3x8x8
h = x -> conv 4 3 as stem -> relu -> global_avg_pool
a = h -> dense 10 as head
b = h -> dense 10 as head_dist
if training { out a, b } else { (a + b) / 2 }
"""
MODELS = {
    "heads": HEADS,
    "evaluation first": HEADS.replace("if training { out a, b } else { (a + b) / 2 }", "if not training { (a + b) / 2 } else { out a, b }"),
    "without else": "x = input 4\nx -> if training { dense 4 as extra } -> dense 4 as head",
    "in a block": (
        "block layer(width) {\n  h = in -> dense width as a\n  h -> if training { dense width as b -> relu } else { tanh }\n}\n"
        "x = input 4\nx -> layer 4 as one -> layer 8 as two"
    ),
    "in a loop": "x = input 4\nx -> repeat 3 as layers { dense 4 as a -> if training { relu } else { dense 4 as c -> tanh } }",
    "one in another": (
        "x = input 4\n"
        "x -> if training { dense 4 as a -> if training { relu } else { dense 4 as b } } else { if training { dense 4 as c } }\n"
        "  -> dense 2 as d"
    ),
    "several results": (
        "x = input 4\n(a, b) = x -> if training { y = in -> dense 4 as p; out y, in } else { y = in -> dense 4 as q; out in, y }\n"
        "out a -> relu, b"
    ),
    "auxiliary": "x = input 4\nh = x -> dense 4 as a\ny = h -> dense 2 as y\nif training { out y, h -> dense 2 as aux -> relu } else { y }",
    "unused": (
        "x = input 4\nh = x -> dense 4 as a\n_u = h -> if training { tanh -> dense 4 as b } else { dense 4 as c -> relu }\n"
        "_v = _u -> dense 4 as d -> relu -> dense 4 as e\nif training { out h, h } else { h -> relu -> dense 2 as f }"
    ),
    "in front of results that differ": (
        "x = input 4\nh = x -> if training { dense 4 as a } else { dense 4 as b -> tanh }\n"
        "if training { out h, h -> relu } else { h -> dense 2 as c }"
    ),
    "used twice": "x = input 4\nh = x -> if training { dense 4 as a } else { dense 4 as b }\nh + (h -> relu)",
}


def run(module: torch.nn.Module, given: list[torch.Tensor]) -> list[torch.Tensor]:
    with torch.no_grad():
        return flattened(module(*given))


@pytest.mark.parametrize("name", MODELS)
def test_each_mode_is_the_branch_for_it(name: str) -> None:
    text = MODELS[name]
    model = netc.compile(text)
    agree(model)
    arrays = inputs_for(model, sizes_of(model)[0])
    given = [tensor(arrays[n], t) for n, t in model.inputs.items()]
    module = model.module(seed=1)
    state = module.state_dict()
    for training in (True, False):
        alone = netc.compile(re.sub(r"\btraining\b", "true" if training else "false", text))
        own = {key: value for key, value in state.items() if key in alone.parameters}
        assert own.keys() == alone.parameters.keys()
        wanted = run(alone.module(weights={k: v.numpy() for k, v in own.items()}).train(training), given)
        for made in (module, executed(model, state)):
            found = run(made.train(training), given)
            for left, right in zip(wanted, found, strict=True):
                torch.testing.assert_close(left, right)


def test_the_emitted_forward() -> None:
    source = netc.compile(HEADS).source()
    assert (
        "    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:\n"
        "        h = F.relu(self.stem(x)).mean(dim=(2, 3))\n"
        "        a = self.head(h)\n"
        "        b = self.head_dist(h)\n"
        "        if self.training:\n"
        "            return a, b\n"
        "        return (a + b) / 2\n"
    ) in source


def test_onnx_has_evaluation_alone() -> None:
    model = netc.compile(MODELS["auxiliary"])
    graph = model.onnx(seed=0).graph
    assert "aux.weight" in model.parameters
    assert [i.name for i in graph.initializer if i.name.startswith("aux")] == []
    assert [one.name for one in graph.output] == ["output"]
    onnx.checker.check_model(model.onnx(seed=0), full_check=True)


def test_costs_are_those_of_evaluation() -> None:
    """The parameters belong to both modes."""
    text = "x = input 4\nx -> if training { dense 4 as a -> relu } else { dense 8 as b -> dense 4 as c }"
    totals = summarize_costs(netc.compile(text).program).totals
    assert totals.parameters == 4 * 4 + 4 + 4 * 8 + 8 + 8 * 4 + 4
    assert totals.multiply_adds == 4 * 8 + 8 * 4


def test_nothing_to_do_in_training() -> None:
    """The input itself in training: a branch without a statement is none."""
    model = netc.compile("x = input 4; y = input 4; if training { x } else { y * 2 } -> dense 2")
    assert "if not self.training:\n            x = y * 2\n" in model.source()
    model.module()
