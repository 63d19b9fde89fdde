"""The class of every model, constructed with other arguments than those it was compiled for: what `netc --set` compiles for them.

The judge is the compiler's other way to the same network: it elaborates the spec with the other parameters. Keys and shapes of the state
dict are compared for all models (`make zoo`; one of each file in `make long`), and what layers say of themselves; results where the
network is small.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo.catalogue import complete_names
from zoo.small import SMALL, Small

import netc
from tests.parity import arguments as taken_by
from tests.parity import inputs_for, sizes_of, tensor

SPECS = Path(__file__).parents[2] / "specs"
FILES = sorted(path for path in SPECS.rglob("*.net") if "std" not in path.parts)
COMPARED = 2_000_000
"""The number of parameters up to which results are compared."""
OTHERS = 1
"""The number of other values that are tried for an argument."""
SIZES = {"H": (64, 96), "W": (64, 96)}
"""Sizes of images that every network leaves something of."""
LIMITS: dict[str, Any] = {"tokens": 2, "segments": 2}

Arguments = dict[str, Any]


def cases() -> Iterator[Any]:
    for path in FILES:
        for index, name in enumerate(complete_names(path)):
            yield pytest.param(path, name, id=name or path.stem, marks=[pytest.mark.zoo] if index else [])


def candidates(value: Any) -> Iterator[Any]:
    """Other values of an argument, the likeliest to be accepted first."""
    if isinstance(value, float):
        yield from (value / 2 or 0.25, 2 * value)
        return
    if isinstance(value, int):
        yield from (2 * value, value + 1, 7, value + 3, 3 * value)
        return
    for index in range(len(value)):
        yield tuple(2 * v if i == index else v for i, v in enumerate(value))
    yield tuple(2 * v for v in value)


def class_of(model: netc.Model) -> type[torch.nn.Module]:
    """The class of the model, the last of its source."""
    scope: dict[str, Any] = {}
    exec(model.source(), scope)
    name = re.findall(r"^class (\w+)", model.source(), re.MULTILINE)[-1]
    return scope[name]  # type: ignore[no-any-return]


def arguments(model: netc.Model) -> dict[str, Any]:
    """The numbers, and lists of integers, that the constructor of the model's class takes, with their defaults."""
    signature = inspect.signature(class_of(model).__init__)
    found = {n: p.default for n, p in signature.parameters.items() if n != "self"}
    assert inspect.Parameter.empty not in found.values(), "an argument of the model has no default"
    return found


def others(path: Path, name: str | None, argument: str, value: Any) -> Iterator[tuple[Any, netc.Model]]:
    """Other values of an argument, and the model that netc compiles with each."""
    count = 0
    for other in candidates(value):
        try:
            made = netc.compile_file(path, model=name, params={argument: list(other) if isinstance(other, tuple) else other})
        except netc.CompileError:
            continue
        yield other, made
        count += 1
        if count == OTHERS:
            return


def parts(model: netc.Model, given: Arguments) -> tuple[dict[str, torch.Size], list[tuple[str, str]]]:
    """The shapes of the state dict of the model's class, constructed with the arguments, and what its layers say of themselves: their
    probabilities and epsilons."""
    with torch.device("meta"):
        made = class_of(model)(**given)
    return {key: value.shape for key, value in made.state_dict().items()}, [(name, one.extra_repr()) for name, one in made.named_modules()]


def settable(path: Path, name: str | None) -> set[str]:
    """The parameters of the model that `--set` knows: its own, without the parameters of the model that it is derived from."""
    text = path.read_text()
    if name is None:
        return set(re.findall(r"^let (\w+)", text, re.MULTILINE))
    declared = re.search(rf"^model {name}\b(\([^)]*\))?", text, re.MULTILINE)
    return set(re.findall(r"(\w+)\s*=", declared[1] or "")) if declared is not None else set()


@pytest.mark.parametrize(("path", "name"), cases())
def test_other_arguments(path: Path, name: str | None) -> None:
    model = netc.compile_file(path, model=name)
    own = settable(path, name)
    for argument, value in arguments(model).items():
        if argument not in own:
            continue
        for other, wanted in others(path, name, argument, value):
            given = {argument: other}
            expected = parts(wanted, {})
            assert parts(model, given) == expected, given
            if sum(shape.numel() for shape in expected[0].values()) < COMPARED:
                _same_draws(model, wanted, given)
                _same_results(model, wanted, given)


@pytest.mark.long
@pytest.mark.parametrize("family", SMALL)
def test_other_arguments_of_a_small_configuration(family: str) -> None:
    """Those of what published models are derived from, `network`, too."""
    small = SMALL[family]
    model = small.compiled()
    own = settable(SPECS / small.spec, small.model)
    for argument, value in arguments(model).items():
        if argument not in own:
            continue
        for other in candidates(value):
            given = {argument: other}
            params = {**small.params, argument: list(other) if isinstance(other, tuple) else other}
            try:
                wanted = Small(small.spec, small.model, params).compiled()
            except netc.CompileError:
                continue
            assert parts(model, given) == parts(wanted, {}), given
            _same_draws(model, wanted, given)
            break


def _same_draws(model: netc.Model, wanted: netc.Model, given: Arguments) -> None:
    """Parameters start alike: the numbers in their initializers follow the other arguments too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = class_of(model)(**given).state_dict()
        torch.manual_seed(0)
        expected = class_of(wanted)().state_dict()
    torch.testing.assert_close(drawn, expected, rtol=0, atol=0, equal_nan=True)


def _same_results(model: netc.Model, wanted: netc.Model, given: Arguments) -> None:
    judge = wanted.module(seed=1).eval()
    module = class_of(model)(**given).eval()
    module.load_state_dict(judge.state_dict())
    arrays = inputs_for(wanted, sizes_of(wanted, {n: s for n, s in SIZES.items() if n in wanted.program.symbols})[1], limits=LIMITS)
    inputs = taken_by(wanted, [tensor(arrays[name], type_) for name, type_ in wanted.inputs.items()])
    with torch.no_grad():
        torch.testing.assert_close(module(*inputs), judge(*inputs), rtol=0, atol=0, equal_nan=True)
