"""The classes of blocks, constructed with the sizes that they have in another model of the same file: what they are there.

The judge is the class of the other model, compiled for these sizes. Keys and shapes of the state dicts are compared for all (`make zoo`;
the first two models of each file in `make long`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo.catalogue import complete_names

import netc
from netc.compiler.backends.python.code.classes import ClassDef
from netc.compiler.backends.python.code.python_expressions import FrameworkValue
from netc.compiler.backends.torch.torch_source import build_classes
from netc.compiler.elaborate.scopes.value_text import format_value
from netc.compiler.ir.graph import Graph
from netc.compiler.ir.graph_values import Value
from netc.compiler.types.traced_ints import strip_formulas
from netc.dsl.record import Record

SPECS = Path(__file__).parents[2] / "specs"
FILES = sorted(path for path in SPECS.rglob("*.net") if "std" not in path.parts)


class Emitted(Record):
    """The classes of a model, and the names that its source defines."""

    classes: list[ClassDef]
    scope: dict[str, Any]

    def shapes(self, cls: ClassDef, given: dict[str, Any]) -> dict[str, torch.Size]:
        """Those of the state dict of the class, constructed with the arguments."""
        with torch.device("meta"):
            return {key: value.shape for key, value in self.scope[cls.name](**given).state_dict().items()}

    def arguments(self, cls: ClassDef, index: int) -> dict[str, Any]:
        """The arguments of the class where it is the graph of this number."""
        return {p.name: self._value(p.values[index]) for p in cls.parameters}

    def _value(self, value: Any) -> Any:
        return eval(value.text, self.scope) if isinstance(value, FrameworkValue) else strip_formulas(value)


@cache
def emitted(path: Path, name: str) -> Emitted:
    model = netc.compile_file(path, model=name)
    scope: dict[str, Any] = {}
    exec(model.source(), scope)
    return Emitted(build_classes(model.program, path.stem), scope)


def cases() -> Iterator[Any]:
    for path in FILES:
        names = [name for name in complete_names(path) if name is not None]
        for number, (one, other) in enumerate(permutations(names[:8], 2)):
            yield pytest.param(path, one, other, id=f"{one}-{other}", marks=[pytest.mark.zoo] if number > 1 else [pytest.mark.long])


def block(cls: ClassDef) -> tuple[str, str, int]:
    """What is equal for classes of one block."""
    graph = cls.graphs[0]
    return graph.name, graph.span.file.name, graph.span.start


def alone(emitted: Emitted) -> dict[tuple[str, str, int], ClassDef]:
    """The classes that are the only ones of their blocks."""
    found: dict[tuple[str, str, int], list[ClassDef]] = {}
    for cls in emitted.classes:
        if cls.graphs[0].kind == "block":
            found.setdefault(block(cls), []).append(cls)
    return {key: classes[0] for key, classes in found.items() if len(classes) == 1}


def fixed(graph: Graph, given: dict[str, Any]) -> dict[str, object]:
    """What the graph depends on that is no argument of its class: other parameters of the block, and sizes of its inputs. Of a tuple the
    class takes what its tensors have together."""
    others = {name: strip_formulas(value) for name, value in graph.arguments.items() if name not in given}
    found: dict[str, object] = {name: value if isinstance(value, tuple) else format_value(value) for name, value in others.items()}
    for i, one in enumerate(graph.grouped_inputs):
        shapes = [v.type.shape for v in ([one] if isinstance(one, Value) else one.values)]
        sizes = [sum(several) for several in zip(*shapes, strict=False) if all(isinstance(size, int) for size in several)]
        found[f"[{i}]"] = [size for size in sizes if size not in given.values()]
    return found


@pytest.mark.parametrize(("path", "one", "other"), cases())
def test_sizes_of_another_model(path: Path, one: str, other: str) -> None:
    ours, theirs = emitted(path, one), emitted(path, other)
    known = alone(ours)
    for key, judge in alone(theirs).items():
        cls = known.get(key)
        if cls is None or {p.name for p in cls.parameters} != {p.name for p in judge.parameters}:
            continue  # of a size that is the same wherever a model has it, its class takes none
        for index, graph in enumerate(judge.graphs):
            given = theirs.arguments(judge, index)
            own = [fixed(g, ours.arguments(cls, i)) for i, g in enumerate(cls.graphs)]
            if fixed(graph, given) in own:
                assert ours.shapes(cls, given) == theirs.shapes(judge, given), f"{cls.name}({given})"
