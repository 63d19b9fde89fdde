"""Operators of a plugin that have a definition and nothing else, in every part of netc. PyTorch's own functions are the judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.conftest import Run

COMPARED = """
import pickle, torch
import netc, waves

torch.manual_seed(0)
text = "input [T, 8] -> wave -> wave a=2 -> learned_wave as act"
model = netc.compile(text)
assert {name: str(info.shape) for name, info in model.parameters.items()} == {"act.alpha": "(8,)"}, model.parameters
module = model.module()
alpha = torch.rand(8) + 0.5
module.act.alpha.data[:] = alpha
x = torch.cat([torch.randn(2, 5, 8), torch.full((1, 5, 8), 1000.0), torch.zeros(1, 5, 8)])

def wave(x, a):
    return x + torch.sin(a * x) ** 2 / a

wanted = wave(wave(wave(x, 1), 2), alpha)
torch.testing.assert_close(module(x), wanted)
torch.testing.assert_close(pickle.loads(pickle.dumps(module))(x), module(x))
source = model.source("torch")
assert "import waves" not in source and "class Wave(" in source and "Wave(a=2.0)" in source, source

for opset in (17, 23, 25):
    session = model.session(weights=module.state_dict(), opset=opset)
    torch.testing.assert_close(torch.from_numpy(session(x.numpy())), wanted, rtol=1e-3, atol=1e-4)
half = netc.compile(text).module(weights=module.state_dict(), dtype="float16")(x[:2].half())
torch.testing.assert_close(half.float(), wanted[:2], rtol=2e-2, atol=2e-2)

# streamed: any two pieces give the whole
stream = model.stream("T").module(weights=module.state_dict())
first, state = stream(stream.begin(), input=x[:, :2])
second, state = stream(state, input=x[:, 2:])
torch.testing.assert_close(torch.cat([first["output"], second["output"]], dim=1), wanted)

# its derivative in ONNX follows from the definition
slope = netc.compile("x = input [T, 8]; gradient((x -> wave a=2 -> learned_wave as act), x)")
close = torch.randn(3, 5, 8, requires_grad=True)
(exact,) = torch.autograd.grad(wave(wave(close, 2), alpha).sum(), close)
found = slope.session(weights={"act.alpha": alpha})(close.detach().numpy())
torch.testing.assert_close(torch.from_numpy(found), exact, rtol=1e-3, atol=1e-4)

# `a * x`, `sin`, `** 2`, `/ a` and `+`: five operations for each of 8 features
assert str(model.summary().totals.flops) == "120*T", model.summary().totals.flops
# the exported model imports as the operators of the definition, and is proved to be the same
import onnx
onnx.save(model.onnx(weights=module.state_dict()), "wave.onnx")
again = netc.from_onnx("wave.onnx")
torch.testing.assert_close(again.module()(x), wanted, rtol=1e-3, atol=1e-4)
"""
MISUSED = """
import netc
from netc.plugins import FLOATS, Input, Inputs, Operator

class Pair(Operator):
    '''The sum of products.'''
    name = "pair_dot"
    x = Input(FLOATS)
    y = Input(FLOATS)
    definition = "x * y -> sum axis=-1"

model = netc.compile("x = input 3; y = input 3; (x, y) -> pair_dot")
assert str(next(iter(model.outputs.values()))) == "[N]", model.outputs
try:
    netc.compile("x = input 3; y = input 4; (x, y) -> pair_dot")
except netc.CompileError as error:
    (problem,) = error.diagnostics
    print(problem.code, problem.message)
    for mark in problem.marks:
        print(mark.span.text, "|", mark.text)
"""


@pytest.mark.long
def test_definition_is_enough_for_every_part(folder: Path, python: Run) -> None:
    done = python("-c", COMPARED)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_inputs_that_a_definition_does_not_take_are_refused_at_the_stage(folder: Path, python: Run) -> None:
    done = python("-c", MISUSED)
    assert done.returncode == 0, done.stderr
    title, *marks = done.stdout.splitlines()
    assert (
        title == "refused-by-definition the definition of `pair_dot` does not compile for these inputs: cannot multiply [N, 3] and [N, 4]"
    )
    assert {*marks} >= {"input 3 | this is the input `x`, [N, 3]", "input 4 | this is the input `y`, [N, 4]"}
