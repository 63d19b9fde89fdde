"""Operators of plugins in each target: shared stages and defaults that have only a definition, and operators that a target does not know.

The operators are registered in this process, and removed at the end. PyTorch's own functions are the judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.backends.torch.torch_emitters import EMITTERS
from netc.plugins import FLOATS, NUMBER, Arg, Init, Input, Operator, OpInputs, ParameterSpec, pytorch


def double(x: Tensor) -> Tensor:
    return x * 2


@pytest.fixture(scope="module", autouse=True)
def plugin() -> Iterator[None]:
    names = set(Operator.registry)

    class Ripple(Operator):
        """A line and a wave."""

        name = "ripple"
        x = Input(FLOATS)
        a = Arg(NUMBER, default=1.0)
        definition = "x + sin(a * x) ** 2 / a"

    class Shift(Operator):
        """A learned shift for each feature."""

        name = "shift"
        x = Input(FLOATS)
        definition = "x + alpha"

        def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
            return (ParameterSpec("alpha", (given.x.shape[-1],), init=Init("ones")),)

    class Known(Operator):
        """A function that PyTorch alone has."""

        name = "known_to_torch"
        x = Input(FLOATS)

        def infer_types(self, given: OpInputs) -> tuple:
            return (given.x,)

    class Vector(Known):
        """An operator that is defined for vectors."""

        name = "of_vectors"

        def write_definition(self, given: OpInputs) -> str:
            return "2 * x" if given.x.rank == 2 else ""

    class Gain(Known):
        """A learned factor, which PyTorch has as a function alone."""

        name = "gain"

        def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
            return (ParameterSpec("factor", (given.x.shape[-1],), init=Init("ones")),)

    class Wrapped(Operator):
        """An operator whose definition uses one that only vectors have."""

        name = "wrapped"
        x = Input(FLOATS)
        definition = "h = tanh(x)\nh -> of_vectors"

    pytorch(Known)(double)
    pytorch(Gain)(double)
    yield
    for name in set(Operator.registry) - names:
        EMITTERS.functions.pop(Operator.registry[name], None)
        Operator.registry.remove(name)


def ripple(x: Tensor, a: float = 1.0) -> Tensor:
    return x + torch.sin(a * x) ** 2 / a


SHIFTS = torch.linspace(-1, 1, 8)
ROWS = torch.cat([torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)), torch.full((1, 5, 8), 1000.0), torch.zeros(1, 5, 8)])
Reference = Callable[[Tensor], Tensor]
SHARED: dict[str, tuple[str, Reference]] = {
    "without parameters": ("shared act = ripple a=2; x -> act -> act", lambda x: ripple(ripple(x, 2), 2)),
    "with parameters": ("shared act = shift; x -> act -> act", lambda x: x + SHIFTS + SHIFTS),
    "labeled": ("shared act = (shift as inner); x -> act -> act", lambda x: x + SHIFTS + SHIFTS),
    "of a row": ("shared act = (shift -> ripple); x -> act -> act", lambda x: ripple(ripple(x + SHIFTS) + SHIFTS)),
    "of a block": ("block b { in -> ripple -> shift }; shared act = b; x -> act -> act", lambda x: ripple(ripple(x) + SHIFTS) + SHIFTS),
    "frozen": ("shared act = (shift trainable=false); x -> act -> act", lambda x: x + SHIFTS + SHIFTS),
    "in a loop": ("shared act = shift; x -> repeat 3 { in -> ripple -> act }", lambda x: rippled(rippled(rippled(x)))),
    "of two ranks": ("shared act = shift; (x -> act) + (x -> unsqueeze 2 -> act -> squeeze 2)", lambda x: 2 * (x + SHIFTS)),
    "as a parameter": ("block b(stage) { shared s = stage; in -> s -> s }; x -> b shift", lambda x: x + SHIFTS + SHIFTS),
    "a default": ("block b(act=ripple) { in -> relu -> act }; x -> b tanh -> b sigmoid -> b", lambda x: ripple(squashed(x).relu())),
    "a default in a shared stage": (
        "block b(act=ripple) { shared s = act; in -> s -> relu -> s }; x -> b tanh -> b sigmoid",
        lambda x: torch.sigmoid(torch.sigmoid(torch.tanh(torch.tanh(x).relu())).relu()),
    ),
}  # fmt: skip


def rippled(x: Tensor) -> Tensor:
    return ripple(x) + SHIFTS


def squashed(x: Tensor) -> Tensor:
    return torch.sigmoid(torch.tanh(x.relu()).relu())


def filled(model: netc.Model) -> dict[str, np.ndarray]:
    """The same shifts in each parameter."""
    return {name: SHIFTS.numpy() for name in model.parameters}


@pytest.mark.parametrize("name", SHARED)
def test_a_stage_with_a_definition_is_written_in_every_target(name: str) -> None:
    text, reference = SHARED[name]
    model = netc.compile(f"x = input [T, 8]; {text}")
    module = model.module(weights=filled(model))
    found = module(ROWS)
    torch.testing.assert_close(found, reference(ROWS))
    assert set(module.state_dict()) == set(model.parameters)
    for opset in (17, 23):
        session = model.session(weights=filled(model), opset=opset)
        torch.testing.assert_close(torch.from_numpy(session(ROWS.numpy())), found, rtol=1e-3, atol=1e-4)
    again = netc.compile(write_program(model.program))
    assert set(again.parameters) == set(model.parameters)
    torch.testing.assert_close(again.module(weights=filled(model))(ROWS), found)
    assert again.summary().totals.flops == model.summary().totals.flops
    stream = model.stream("T").module(weights=filled(model))
    first, state = stream(stream.begin(), x=ROWS[:, :2])
    second, _ = stream(state, x=ROWS[:, 2:])
    torch.testing.assert_close(torch.cat([first["output"], second["output"]], dim=1), found)


LACKING = {
    "input 8 -> known_to_torch": "known_to_torch",
    "block b { in -> dense 8 -> known_to_torch }; input 8 -> b -> b": "known_to_torch",
    "shared s = of_vectors; input [T, 8] -> s -> s": "of_vectors",
    "input [T, 8] -> dense 8 -> wrapped -> relu": "wrapped",
    "start = input 8; input [T, 8] -> scan (h = start) axis=1 { h = (h + in) -> known_to_torch }": "known_to_torch",
}


@pytest.mark.parametrize("text", LACKING)
def test_an_operator_without_a_form_is_an_error_at_its_stage(text: str, tmp_path: Path) -> None:
    model, stage = netc.compile(text), LACKING[text]
    targets = {"ONNX": [model.onnx, lambda: model.source("onnx"), lambda: model.save(tmp_path / "x.onnx")]}
    if stage != "known_to_torch":
        targets["PyTorch"] = [model.module, model.source, lambda: model.save(tmp_path / "x.py")]
    for target, attempts in targets.items():
        for attempt in attempts:
            with pytest.raises(netc.CompileError) as caught:
                attempt()
            (found,) = caught.value.diagnostics
            assert found.code == "missing-form"
            assert re.match(f"`(known_to_torch|of_vectors)` has no {target} form", found.message)
            assert found.span.file.text[found.span.start : found.span.end] == stage
            assert f"@{target.lower()}(" in found.help[0]
            assert found.notes == (("it is part of the definition of `wrapped`",) if stage == "wrapped" else ())
    assert netc.compile(write_program(model.program)).inputs == model.inputs
    assert not any(tmp_path.iterdir())


def test_a_definition_for_some_inputs_is_used_for_these() -> None:
    found = netc.compile("input 8 -> of_vectors").module()(ROWS[:, 0])
    torch.testing.assert_close(found, ROWS[:, 0] * 2)


def test_parameters_need_a_module() -> None:
    with pytest.raises(netc.CompileError, match="`gain` has parameters, and no PyTorch module that holds them") as caught:
        netc.compile("input 8 -> gain").module()
    assert caught.value.diagnostics[0].help == ("in its plugin, decorate an `nn.Module` with `@pytorch(Gain)`",)


def test_a_section_with_an_operator_that_pytorch_lacks() -> None:
    text = "x = input [T, 8]; y = x -> dense 1; train { target = input [T, 1]; loss = (y -> of_vectors, target) -> mse_loss }"
    with pytest.raises(netc.CompileError, match="`of_vectors` has no PyTorch form, and no definition for these inputs"):
        netc.compile(text).training()


RANKS = {
    "x = input 8xHxW; y = input 8xT; shared n = batch_norm; (x -> n -> global_avg_pool) + (y -> n -> global_avg_pool)": "batch_norm",
    "block b { in -> batch_norm -> global_avg_pool }; x = input [4, 8, 8]; y = input [4, 8]; shared n = b; (x -> n) + (y -> n)": "b",
    "x = input [H * W]; t = table (i) [W] = i; x + (t -> sum)": "table (i) [W] = i",
}


@pytest.mark.parametrize("text", RANKS)
def test_what_no_module_of_pytorch_does_is_an_error_at_its_stage(text: str) -> None:
    with pytest.raises(netc.CompileError, match="cannot be written in PyTorch here") as caught:
        netc.compile(text).source()
    (found,) = caught.value.diagnostics
    assert found.code == "source-unsupported"
    assert found.span.file.text[found.span.start : found.span.end] == RANKS[text]
    assert found.help
