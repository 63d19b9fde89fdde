"""The base class of backends that hand an exported module to the vendor's converter.

In: the input of a backend. Out: the artifact of a converter, or `UnsupportedByTarget`. Always: what is known without weights is checked
before they are opened.
"""

from __future__ import annotations

from abc import abstractmethod
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...errors.target_errors import ConverterNotInstalled, FormatUnsupported, UnsupportedByTarget
from ...ir.walk import collect_graphs
from ..backend import Artifact, Backend, BackendInput
from .export_sizes import check_sizes_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...ir.graph import Program
    from ...ir.graph_values import Value
    from .conversion import Converter


class ExportedBackend(Backend):
    """A backend whose converter takes what `torch.export` makes of a module."""

    is_binary = True
    holds_weights = True
    package: str
    """The converter's name as in `import`."""
    takes_bounded_sizes: bool
    """A symbolic size may stay symbolic if it has an upper bound. Otherwise every size must be an integer."""
    port_dtypes: frozenset[str]
    """The element types that inputs and outputs may have."""
    inner_dtypes: frozenset[str]
    """The element types that other tensors may have."""

    @abstractmethod
    def load_converter(self) -> Converter:
        """Import the converter. The package is installed."""
        ...

    def build(self, given: BackendInput) -> Artifact:
        self._check(given.program)
        from .conversion import convert_program

        return convert_program(self.title, given, self.load_converter().convert)

    def text(self, given: BackendInput) -> str:
        self._check(given.program)
        from .conversion import convert_program

        return convert_program(self.title, given, self.load_converter().describe)

    def _check(self, program: Program) -> None:
        """Raise `UnsupportedByTarget` for everything that is known before there are weights."""
        check_sizes_fit(program, self.title, self.takes_bounded_sizes)
        self._check_dtypes(program)
        if find_spec(self.package) is None:
            raise UnsupportedByTarget(ConverterNotInstalled(self.package, self.title))

    def _check_dtypes(self, program: Program) -> None:
        main = program.main
        for value in main.inputs:
            self._check_port(f"the input `{value.name}`", value)
        for name, value in zip(main.output_names, main.outputs, strict=True):
            self._check_port(f"the output `{name}`", value)
        for value in _iterate_results(program):
            if value.type.dtype.name not in self.inner_dtypes:
                what = f"`{value.name}`" if value.name else "the result of this stage"
                self._refuse_dtype(what, value, self.inner_dtypes)

    def _check_port(self, what: str, value: Value) -> None:
        if value.type.dtype.name not in self.port_dtypes:
            self._refuse_dtype(what, value, self.port_dtypes)

    def _refuse_dtype(self, what: str, value: Value, allowed: frozenset[str]) -> None:
        dtype = value.type.dtype
        # the widest type of the same kind: int32 for int64, float32 for bfloat16
        others = [name for name in ("int32", "float32", "float16") if name in allowed and name.startswith(dtype.kind.removeprefix("u"))]
        advice = f"declare or cast it as `{others[0]}`" if others else "cast it to another element type"
        problem = FormatUnsupported(what, self.title, f"the format has no {dtype} here", advice)
        raise UnsupportedByTarget(problem, value.span)


def _iterate_results(program: Program) -> Iterator[Value]:
    return (value for graph in collect_graphs(program.main) for node in graph.nodes for value in node.outputs)
