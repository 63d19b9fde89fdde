"""The module of a program, exported by `torch.export`, with flat inputs and outputs under the names of the spec.

In: the input of a backend. Out: the module and example inputs by name; from these the exported program.
Always: the module is in evaluation mode, and its weights are the caller's.

    >>> import netc
    >>> model = netc.compile("x = input 8; x -> dense 4 as fc", dims={"N": 1})
    >>> exported = ExportedModule.make(model.backend_input(seed=0), "ExecuTorch")
    >>> {name: list(tensor.shape) for name, tensor in exported.examples.items()}, exported.run_export().graph_signature.user_inputs
    ({'x': [1, 8]}, ('x',))
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import Parameter, Signature
from itertools import islice
from keyword import iskeyword
from typing import Any

import torch
from torch import Tensor, nn

from netc.dsl.record import Record, replace

from ...dims import SymDim, evaluate_dim, invert_linear
from ...ir.graph import Graph, Program
from ...ir.graph_values import Value
from ...types.tensor_types import TensorType
from ..backend import BackendInput
from ..torch import BACKEND as TORCH
from .export_sizes import choose_example_sizes, find_bounds


class ExportedModule(Record):
    """A module that takes `examples` by name and returns a dict of its outputs by name. A name that is a
    keyword of Python ends in an underscore."""

    program: Program
    module: nn.Module
    examples: dict[str, Tensor]

    @classmethod
    def make(cls, given: BackendInput, title: str) -> ExportedModule:
        """Make the module of a program. `title` is the format's, for errors."""
        main, sizes = given.program.main, choose_example_sizes(given.program, title)
        # Without weights, a module would draw its parameters with PyTorch's generator, and the file would differ each time.
        filled = replace(given, weights=given.open_arrays)
        names = choose_argument_names(value.name for value in main.inputs)
        inputs = dict(zip(names, main.inputs, strict=True))
        examples = {name: _make_example(value.type, sizes) for name, value in inputs.items()}
        return cls(given.program, _make_flat_module(TORCH.module(filled), main, names).eval(), examples)

    def list_dynamic_shapes(self) -> dict[str, Any]:
        """Return the argument `dynamic_shapes` of `torch.export`. A symbol is the same `Dim` in all inputs."""
        values = dict(zip(self.examples, self.program.main.inputs, strict=True))
        return {
            name: {axis: _make_export_dim(d) for axis, d in enumerate(value.type.shape) if isinstance(d, SymDim)}
            for name, value in values.items()
        }

    def run_export(self) -> torch.export.ExportedProgram:
        """Export the module. Raises whatever `torch.export` raises for a module that it cannot export."""
        with torch.no_grad():
            return torch.export.export(self.module, (), self.examples, dynamic_shapes=self.list_dynamic_shapes())


def choose_argument_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names that arguments of a Python function can have.

    >>> choose_argument_names(["lambda", "lambda_", "x", "xs.0"])
    ('lambda__', 'lambda_', 'x', 'xs_0')
    """
    used = {*(names := tuple(names)), "self"}
    chosen = []
    for name in names:
        argument = name.replace(".", "_")  # a tensor of a list is `xs.0`
        while iskeyword(argument) or argument == "self" or (argument != name and argument in used):
            argument += "_"
        used.add(argument)
        chosen.append(argument)
    return tuple(chosen)


class FlatModule(nn.Module):
    """A module of a program that takes its inputs one by one, and returns a dict of its outputs."""

    def __init__(self, module: nn.Module, main: Graph) -> None:
        super().__init__()
        self.model = module
        self._sizes = [None if isinstance(group, Value) else len(group.values) for group in main.grouped_inputs]
        self._names = tuple(main.output_names)

    def call_model(self, inputs: Iterable[Tensor]) -> dict[str, Tensor]:
        """Call the module with each list of inputs as a tuple."""
        passed = tuple(inputs)
        rest = iter(passed)
        arguments = [next(rest) if size is None else tuple(islice(rest, size)) for size in self._sizes]
        outputs = dict(zip(self._names, _flatten(self.model(*arguments)), strict=True))
        # A format has a tensor of its own for each output, so an input that is returned, and a tensor that is returned twice, are copied.
        seen = {id(value) for value in passed}
        for name, value in outputs.items():
            outputs[name] = value.clone() if id(value) in seen else value
            seen.add(id(value))
        return outputs


def _make_flat_module(module: nn.Module, main: Graph, names: tuple[str, ...]) -> FlatModule:
    """Make the module with a `forward` whose arguments have these names: `torch.export` knows dynamic sizes only of named arguments."""

    class Flat(FlatModule):
        def forward(self, *args: Tensor, **named: Tensor) -> dict[str, Tensor]:
            bound = signature.bind(self, *args, **named).arguments
            return self.call_model(bound[name] for name in names)

    signature = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", *names)])
    Flat.forward.__signature__ = signature  # type: ignore[attr-defined]
    return Flat(module, main)


def _make_example(type_: TensorType, sizes: dict[str, int]) -> Tensor:
    # zeros are valid indices, and masks of zeros are valid masks
    return torch.zeros([evaluate_dim(d, sizes) for d in type_.shape], dtype=getattr(torch, type_.dtype.name))


def _make_export_dim(dim: SymDim) -> Any:
    """Return the dimension of `torch.export` for an axis: `2*T + 1` of a named `T`. Other formulas are dynamic sizes of their own."""
    low, high = find_bounds(dim)
    line = invert_linear(dim)
    if line is None or line[2] != 1:
        return torch.export.Dim.DYNAMIC(min=low, max=high)
    name, factor, _, offset = line
    # a least size of 0 or 1 stays as it is, whereas `DYNAMIC` would raise it to 2
    base = torch.export.Dim(name, min=(low - offset) // factor, max=(high - offset) // factor)
    scaled = base if factor == 1 else factor * base
    return scaled if offset == 0 else scaled + offset


def _flatten(result: Any) -> Iterator[Tensor]:
    match result:
        case Tensor():
            yield result
        case _:
            for part in result:
                yield from _flatten(part)
