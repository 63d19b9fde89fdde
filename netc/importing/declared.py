"""Inputs as an importer is given them: `3x224x224`, `tokens=[T] int64`, as a spec declares them.

In: texts. Out: types by name, and example arrays. Always: two symbolic dimensions have different sizes, and a batch has two samples, since
torch.export takes a size of 1, or two equal ones, for more than they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netc.dsl.record import Record

if TYPE_CHECKING:
    from netc.compiler.ir.elements import Array
    from netc.compiler.ir.graph import Program
    from netc.compiler.ir.types import TensorType

_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.+)", re.DOTALL)


class WrongInput(ValueError):
    """A text that declares no input."""


class DeclaredInputs(Record):
    """`names` are None for those that are given by position."""

    names: tuple[str | None, ...]
    program: Program

    @property
    def types(self) -> list[TensorType]:
        return [value.type for value in self.program.main.inputs]

    def examples(self, seed: int = 0) -> list[Array]:
        """An array for each."""
        import numpy as np

        from ..samples import random_array, several_shapes

        generator = np.random.default_rng(seed)
        ((_, shapes),) = several_shapes(self.program, 1)
        return [random_array(value.type.dtype, shapes[value.name], generator) for value in self.program.main.inputs]

    def dims(self) -> list[Mapping[int, str]]:
        """The names of the symbolic axes of each. Raises `WrongInput` for a size that is computed."""
        from netc.compiler.dims import SymDim

        found: list[Mapping[int, str]] = []
        for type_ in self.types:
            symbolic = {axis: str(size) for axis, size in enumerate(type_.shape) if isinstance(size, SymDim)}
            computed = next((size for size in symbolic.values() if not size.isidentifier()), None)
            if computed is not None:
                raise WrongInput(f"the size of an axis is a number or a name, not `{computed}`")
            found.append(symbolic)
        return found


def declared_inputs(texts: Sequence[str], sizes: Mapping[str, int] | None = None) -> DeclaredInputs:
    """What the texts declare, with `sizes` of symbolic dimensions. Raises `WrongInput`."""
    from netc.dsl.source import SourceFile

    from ..analysis import Choice, analyse

    named = [(found[1], found[2]) if (found := _NAMED.fullmatch(text)) else (None, text) for text in texts]
    lines: list[str] = []
    for at, (_, text) in enumerate(named):
        words = text.strip().removeprefix("input ").strip()
        if any(sign in words.replace("batch=false", "") for sign in ("\n", ";", "->", "#", "{", "=")):
            raise WrongInput(f"`{text}` is no shape and element type, such as `3x224x224` or `[T] int64`")
        lines.append(f"input_{at} = input {words}")
    lines.append("out " + ", ".join(f"input_{at}" for at in range(len(named))))
    analysis = analyse(SourceFile("<input>", "\n".join(lines)), Choice(dims=dict(sizes or {})))
    if analysis.program is None:
        said = next((d.message for d in analysis.diagnostics if d.severity == "error"), "it does not parse")
        raise WrongInput(f"`{', '.join(texts)}` declares no inputs: {said}")
    return DeclaredInputs(tuple(name for name, _ in named), analysis.program)
