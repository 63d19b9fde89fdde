"""Writes a program as Flax source, with the shared writer of Python. The file ends with the function that loads a checkpoint.

>>> import netc
>>> print(WRITER.write_source(netc.compile("input 3 -> relu").program, "net").splitlines()[-1].strip())
return nnx.relu(input)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from netc.dsl.record import replace

from ...ir.graph import Graph, Program
from ..backend import DEFAULT_SOURCE_OPTIONS, SourceOptions
from ..python import array_source
from ..python.array_source import expand_derivatives
from ..python.printing.python_printer import format_literal
from ..python.python_source import Parts, SourceWriter
from . import ops
from .flax_emitters import EMITTERS
from .flax_framework import DEFINITIONS, FLAX

assert ops, "importing the package fills the tables"
_SHARDING_NAMES = frozenset({"NamedSharding", "PARTITION", "PartitionSpec", "fnmatchcase"})
"""The further names of a file with `shard`."""


class FlaxWriter(SourceWriter):
    """Adds `load` to files whose model has a tensor to load, and `shard` to those that several devices share. `advice` says what to do
    about a gradient that has no closed form."""

    def __init__(self, options: SourceOptions = DEFAULT_SOURCE_OPTIONS, advice: str = "differentiate the model by `jax.grad`") -> None:
        super().__init__(FLAX, EMITTERS, scans_layers=options.scan_layers)
        self.partition, self.advice = options.partition, advice

    @contextmanager
    def _lower_program(self, program: Program) -> Iterator[Graph]:
        """Write gradients by a tensor out first: `jax.grad` takes a function, where the spec has two tensors."""
        expanded = expand_derivatives(program, self.framework.title, self.advice)
        with super()._lower_program(expanded) as main:
            yield main

    def write_parts(self, program: Program, name: str, used_names: frozenset[str] = frozenset()) -> Parts:
        parts = super().write_parts(program, name, used_names | _SHARDING_NAMES if self.partition else used_names)
        # What registers members is written with the texts, so the definitions that it calls are found in these.
        definitions = list_called_definitions((*parts.definitions, *parts.texts))
        holds = any(re.search(r"\bnnx\.Param\(|\bBuffer\(|\bnnx\.BatchStat\(", text) for text in (*definitions, *parts.texts))
        if not holds:
            return replace(parts, definitions=definitions)
        load = DEFINITIONS["load"]
        if DEFINITIONS["ScannedLayers"] in definitions:
            definitions = list_called_definitions((*definitions, "stack_layers(", "unstack_layers("))
            load = load.replace("load_file(path)", "stack_layers(model, load_file(path))")
        texts = (*parts.texts, load, *(self._write_sharding() if self.partition else ()))
        return replace(parts, definitions=definitions, texts=texts)

    def _write_sharding(self) -> Iterator[str]:
        """Write the table of the axes that devices share, and the functions that place a module on them."""
        entries = (f"    {format_literal(key)}: PartitionSpec({', '.join(map(format_literal, axes))})," for key, axes in self.partition)
        yield "\n".join(["PARTITION = {", *entries, "}"])
        yield DEFINITIONS["fits_key"]
        yield DEFINITIONS["shard"]


LAST = ("load", "fits_key", "shard")
"""The definitions that come after the classes."""


def list_called_definitions(texts: Sequence[str]) -> tuple[str, ...]:
    """List the definitions that texts contain or call, and those that these call, without the LAST ones."""
    return array_source.list_called_definitions(DEFINITIONS, texts, LAST)


@cache
def choose_writer(options: SourceOptions) -> FlaxWriter:
    """Return the writer for the options of a source."""
    return FlaxWriter(options)


WRITER = choose_writer(DEFAULT_SOURCE_OPTIONS)
