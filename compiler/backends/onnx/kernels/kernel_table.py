"""Reads the table of the kernels that an execution provider of ONNX Runtime has.

In: the name of a provider: `cpu`, `cuda` or `web`. Out: a `KernelTable`. Always: a kernel is found by ONNX Runtime's own rule.

    >>> table = load_kernel_table("cuda")
    >>> table.find_kernel("Gelu", 20, {"T": "float16"}) is not None, table.find_kernel("Gelu", 20, {"T": "int32"})
    (True, None)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from netc.dsl.record import Record

from ....onnx_standard.operator_schemas import find_schema

_RANGE = re.compile(r"(\d+)(?:(\+)|-(\d+))?")


class Kernel(Record):
    """A kernel for the versions `since` to `until` of an operator. If `until` is None, the provider named no end. `types`: the element
    types that it takes, by the name of the type parameter or of the input in the operator's schema."""

    since: int
    until: int | None
    types: Mapping[str, frozenset[str]]

    def accepts_version(self, since: int) -> bool:
        """Whether ONNX Runtime takes the kernel for an operator that was defined last in opset `since`."""
        # A kernel without an end was written for exactly one definition: it says nothing about the next one. This is the rule of
        # `VerifyVersion` in onnxruntime/core/framework/kernel_registry.cc.
        return self.since == since or (self.until is not None and self.since <= since <= self.until)

    def accepts_types(self, types: Mapping[str, str | None]) -> bool:
        """Whether the kernel takes these element types. None stands for an unknown type, which any kernel takes."""
        return all(types.get(name) is None or types[name] in allowed for name, allowed in self.types.items())


class KernelTable(Record):
    """The kernels of a provider by operator. `source` names the page that they are from, and `version` the release of ONNX Runtime."""

    version: str
    source: str
    kernels: Mapping[str, tuple[Kernel, ...]]

    def find_kernel(self, op_type: str, since: int, types: Mapping[str, str | None]) -> Kernel | None:
        """Find a kernel.

        Args:
            op_type: An operator of the domain `ai.onnx`.
            since: The opset in which the model's form of the operator was defined.
            types: The element types of the node by the names of the schema's type parameters, inputs and outputs.

        Returns:
            The kernel, or None if there is none.
        """
        kernels = self.kernels.get(op_type, ())
        return next((kernel for kernel in kernels if kernel.accepts_version(since) and kernel.accepts_types(types)), None)

    def list_kernels(self, op_type: str, since: int) -> list[Kernel]:
        """List the kernels for one definition of an operator, of whatever types."""
        return [kernel for kernel in self.kernels.get(op_type, ()) if kernel.accepts_version(since)]


def list_kernel_types(provider: str, op_type: str, opset: int, variable: str) -> frozenset[str] | None:
    """List the element types that a provider has kernels for, of a type parameter of an operator in an opset.

    Empty if a kernel takes any type. None if there is no kernel for the operator in this opset.
    """
    schema = find_schema(op_type, opset)
    kernels = [] if schema is None else load_kernel_table(provider).list_kernels(op_type, schema.since_version)
    if not kernels:
        return None
    if any(variable not in kernel.types for kernel in kernels):
        return frozenset()
    return frozenset().union(*(kernel.types[variable] for kernel in kernels))


@cache
def load_kernel_table(provider: str) -> KernelTable:
    """Load the table of a provider: `cpu`, `cuda` or `web`."""
    table = json.loads(files(__package__).joinpath(f"{provider}_kernels.json").read_text(encoding="utf-8"))
    kernels = {op_type: tuple(_parse_kernel(row) for row in rows) for op_type, rows in table["kernels"].items()}
    return KernelTable(table["version"], table["source"], kernels)


def _parse_kernel(row: str) -> Kernel:
    """Parse a row of the table, such as `13+ T=float32,float64`."""
    versions, *constraints = row.split()
    match = _RANGE.fullmatch(versions)
    assert match is not None, row
    since, is_open, end = int(match[1]), match[2], match[3]
    pairs = (constraint.split("=") for constraint in constraints)
    types = {name: frozenset(allowed.split(",")) for name, allowed in pairs}
    return Kernel(since, None if is_open else int(end or since), types)
