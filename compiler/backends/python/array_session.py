"""Executes the source of a program, and runs its module on arrays: for frameworks whose modules are called with the inputs alone.

In: a text and its name, or a program and a function of the inputs. Out: the module with the text's definitions, or a session. Always:
tracebacks show the text's lines, and a session checks the sizes of its inputs before it calls the function.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from itertools import islice
from types import ModuleType
from typing import Any

from ...analysis.input_shapes import check_sizes
from ...ir.graph import Program
from ...ir.graph_values import Value
from ...ir.ports import make_input_ports
from ...types.numpy_types import Array


def execute_source(text: str, name: str) -> Any:
    """Execute a text, and return its definitions as attributes. Tracebacks call it `<netc NAME>`."""
    space = ModuleType(f"<netc {name}>")
    linecache.cache[space.__name__] = (len(text), None, text.splitlines(keepends=True), space.__name__)
    exec(compile(text, space.__name__, "exec", dont_inherit=True), vars(space))
    return space


class ArraySession:
    """A program that is run by `call`, which takes the inputs as arrays, with a tuple for each tuple of the spec, and returns arrays or
    tuples of them. Called with arrays by position or by name."""

    def __init__(self, program: Program, outputs: Sequence[str], call: Callable[..., Any]) -> None:
        self.inputs = {port.name: port for port in make_input_ports(program)}
        self.outputs = tuple(outputs)
        self.program, self.call = program, call

    def __call__(self, /, *arrays: Any, **named: Any) -> Array | dict[str, Array]:
        import numpy as np

        given = dict(zip(self.inputs, arrays, strict=False)) | named
        check_sizes(self.program, {name: np.shape(given[name]) for name in self.inputs})
        left = iter([np.asarray(given[name]) for name in self.inputs])
        groups = self.program.main.grouped_inputs
        grouped = [next(left) if isinstance(one, Value) else tuple(islice(left, len(one.values))) for one in groups]
        results = self.call(*grouped)
        found = list(results) if isinstance(results, (tuple, list)) else [results]
        return found[0] if len(found) == 1 else dict(zip(self.outputs, found, strict=True))
