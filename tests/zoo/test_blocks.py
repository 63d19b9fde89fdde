"""The class of every block, constructed at other sizes than in its model: what netc compiles for the block alone.

The blocks come from the small configurations of the zoo (zoo.small). Each size of an input and each integer among the parameters that
the constructor takes is replaced by another one, if netc accepts that. Where the constructor has no condition, or also takes what is
computed from them and is no formula (a flag, a float), nothing that the spec decides may change. In the module of a model that is the
block alone, the class of the zoo's model takes the place of the block, with the same weights: keys, shapes and results are compared.

`make zoo` replaces all that can be; `make test` one integer of each block of a few models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
import torch
from zoo.alone import LABEL, Elaborated, Sizes, changed, unchanged
from zoo.small import SMALL

import netc
from netc.compiler.backends.python.code.classes import ClassDef
from netc.compiler.backends.python.code.python_expressions import StageValue
from netc.compiler.backends.python.printing.python_printer import format_literal
from netc.compiler.backends.torch.torch_source import build_classes
from netc.compiler.dims import evaluate_dim, free_symbols
from netc.compiler.types.traced_ints import TracedInt
from tests.parity import arguments as taken_by
from tests.parity import inputs_for, sizes_of, tensor

OTHERS: tuple[Callable[[int], int], ...] = (lambda value: 2 * value, lambda value: value + 1, lambda value: 3 * value)
"""Other values of an integer, the likeliest to be accepted first."""
QUICK = ("mobilenet_v2", "wavenet", "swin", "bert", "llama")
REPEATED = 2
"""How often a block is used in a row that has tensors computed outside of it, as they are outside of a loop."""


class Emitted:
    """The classes of a model, as code and as they are when the source is executed, and its integers by their symbols."""

    def __init__(self, name: str) -> None:
        self.elaborated = Elaborated(SMALL[name])
        model = self.elaborated.model
        self.sizes = sizes_of(model, {n: (s, s) for n, s in SMALL[name].sizes.items()})[1]
        self.classes = build_classes(model.program, model.name)
        self.scope: dict[str, Any] = {}
        self.source = model.source()
        exec(self.source, self.scope)
        graphs = [graph for cls in self.classes for graph in cls.graphs]
        self.integers = {symbol: origin.value for graph in graphs for symbol, origin in graph.origins.items()}

    def blocks(self) -> list[ClassDef]:
        """The classes of blocks."""
        return [cls for cls in self.classes if cls.graphs[0].kind == "block"]

    def decides(self, cls: ClassDef) -> bool:
        """Whether the constructor has conditions of its own, so that other stages come of other sizes."""
        code = self.source.split(f"class {cls.name}(", 1)[1].split("def forward", 1)[0]
        return re.search(r"\bif\b", code) is not None

    def construct(self, cls: ClassDef, sizes: Sizes) -> torch.nn.Module:
        """The class with the arguments of its first use, for these integers."""
        found = {**self.integers, **sizes}
        made = self.scope[cls.name](**{p.name: self._argument(p.values[0], found) for p in cls.parameters})
        assert isinstance(made, torch.nn.Module)
        return made.eval()

    def _argument(self, given: Any, sizes: Sizes) -> Any:
        """An argument of a constructor; a stage is what its text means in the emitted file."""
        return eval(format_literal(given), self.scope) if isinstance(given, StageValue) else _value(given, sizes)


def _value(given: Any, sizes: Sizes) -> Any:
    if isinstance(given, TracedInt):
        return evaluate_dim(given.origin, dict(sizes))
    return tuple(_value(v, sizes) for v in given) if isinstance(given, tuple) else given


def _symbols_in(given: Any) -> set[str]:
    if isinstance(given, TracedInt):
        return set(free_symbols(given.origin))
    return set().union(*map(_symbols_in, given)) if isinstance(given, tuple) else set()


def others(emitted: Emitted, cls: ClassDef) -> Iterator[tuple[Sizes, netc.Model]]:
    """The block as it is, then with other integers, one by one: these, and the block alone with them."""
    graph = cls.graphs[0]
    usual = {symbol: origin.value for symbol, origin in graph.origins.items()}
    own = [_symbols_in(p.values[0]) for p in cls.parameters]
    taken = set().union(*own)
    for symbol in ("", *(s for s in usual if s in taken)):
        for other in OTHERS if symbol else OTHERS[:1]:
            sizes = changed(graph, usual, symbol, other(usual[symbol])) if symbol else usual
            alone = emitted.elaborated.alone(graph, sizes, emitted.sizes, REPEATED if graph.captures else 1)
            if alone is not None and (not symbol or unchanged(graph, sizes) or (all(own) and emitted.decides(cls))):
                yield sizes, alone
                break
        else:
            assert symbol, f"{cls.name} cannot be used alone"


@pytest.mark.parametrize("name", QUICK)
def test_another_size(name: str) -> None:
    emitted = Emitted(name)
    for cls in emitted.blocks():
        for sizes, alone in islice(others(emitted, cls), 1, 2):
            check(emitted, cls, sizes, alone)


@pytest.mark.zoo
@pytest.mark.parametrize("name", SMALL)
def test_other_sizes(name: str) -> None:
    emitted = Emitted(name)
    for cls in emitted.blocks():
        for sizes, alone in others(emitted, cls):
            check(emitted, cls, sizes, alone)


def check(emitted: Emitted, cls: ClassDef, sizes: Sizes, alone: netc.Model) -> None:
    """The class computes what the block alone does."""
    torch.manual_seed(0)
    judge = alone.module().eval()
    arrays = inputs_for(alone, sizes_of(alone)[1], limits={n: 1 for n, t in alone.inputs.items() if not t.dtype.is_float})
    inputs = taken_by(alone, [tensor(arrays[n], t) for n, t in alone.inputs.items()])
    with torch.no_grad():
        expected = judge(*inputs)
        found = replaced(emitted, cls, sizes, judge)(*inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True, msg=lambda m: f"{cls.name} {sizes}: {m}")


def replaced(emitted: Emitted, cls: ClassDef, sizes: Sizes, judge: torch.nn.Module) -> torch.nn.Module:
    """The module with the class in place of the block; the class by itself, if the block is no module there."""
    own = judge._modules.get(LABEL)
    if own is None:
        return emitted.construct(cls, sizes)
    places = [(own, label) for label in map(str, range(REPEATED))] if cls.graphs[0].captures else [(judge, LABEL)]
    for outer, label in places:
        block = outer.get_submodule(label)
        module = emitted.construct(cls, sizes)
        shapes = [{key: value.shape for key, value in m.state_dict().items()} for m in (module, block)]
        assert shapes[0] == shapes[1], f"{cls.name} {sizes}"
        module.load_state_dict(block.state_dict())
        outer.register_module(label, module)
    return judge
