"""Writes a program as MLX source, with the shared writer of Python. The file ends with the function that loads a checkpoint.

>>> import netc
>>> print(WRITER.write_source(netc.compile("input 3 -> relu").program, "net").splitlines()[-1].strip())
return nn.relu(input)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netc.dsl.record import replace

from ...analysis.state_dict import collect_parameters
from ...ir.graph import Graph, Program
from ..python.array_source import expand_derivatives, list_called_definitions
from ..python.python_source import Parts, SourceWriter
from ..python.unsupported_python import refuse_hidden_labels
from . import ops
from .mlx_definitions import DEFINITIONS
from .mlx_emitters import EMITTERS
from .mlx_framework import MLX

assert ops, "importing the package fills the tables"


class MlxWriter(SourceWriter):
    """Adds `load` to files whose model has a tensor to load."""

    @contextmanager
    def _lower_program(self, program: Program) -> Iterator[Graph]:
        expanded = expand_derivatives(program, self.framework.title, "differentiate the model by `mx.grad`")
        with super()._lower_program(expanded) as main:
            refuse_hidden_labels(expanded, MLX.attributes)
            yield main

    def write_parts(self, program: Program, name: str, used_names: frozenset[str] = frozenset()) -> Parts:
        parts = super().write_parts(program, name, used_names)
        texts = (*parts.texts, DEFINITIONS["load"]) if collect_parameters(program) else parts.texts
        # What registers members is written with the texts, so the definitions that it calls are found in these.
        definitions = list_called_definitions(DEFINITIONS, (*parts.definitions, *texts))
        return replace(parts, definitions=definitions, texts=texts)


WRITER = MlxWriter(MLX, EMITTERS)
