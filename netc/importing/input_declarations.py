"""Parses the declarations of inputs that the user passes to an import: `3x224x224`, `tokens=[T] int64`.

In: texts. Out: types by name, and example arrays. Always: two symbolic dimensions have different sizes, and a batch has two samples,
because torch.export specializes on a size of 1, and takes two equal sizes for one.

    >>> declared = parse_inputs(["tokens=[T] int64", "3x8x8"])
    >>> declared.names, declared.types
    (('tokens', None), [TensorType(int64 [N, T]), TensorType([N, 3, 8, 8])])
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netc.compiler.dims import Condition, SymDim, condition_holds, evaluate_dim, free_symbols, make_symbol
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from ..analysis import Choice, analyze

if TYPE_CHECKING:
    from netc.compiler.dims import Dim
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.numpy_types import Array
    from netc.compiler.types.tensor_types import TensorType

IMAGES = (64, 128, 224)
SEQUENCES = (8, 64, 224)
SOUNDS = (1024, 16000)
"""Usual sizes of images, lengths of sequences and numbers of samples of sound, from which examples are made."""
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.+)", re.DOTALL)


class WrongInput(ValueError):
    """A text does not declare an input."""


class DeclaredInputs(Record):
    """The declared inputs. `names` has None for an input by position."""

    names: tuple[str | None, ...]
    program: Program

    @property
    def types(self) -> list[TensorType]:
        return [value.type for value in self.program.main.inputs]

    @property
    def conditions(self) -> list[Condition]:
        """The comparisons of every `where`. Raises `WrongInput` for a list of sizes."""
        conditions = [condition for condition, _ in self.program.conditions]
        if not all(isinstance(condition, Condition) for condition in conditions):
            raise WrongInput("the `where` of an input to import cannot list sizes: write comparisons")
        return [condition for condition in conditions if isinstance(condition, Condition)]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the symbolic sizes, without the batch."""
        from ..inputs.random_inputs import BATCH

        used = {name: None for type_ in self.types for size in type_.shape for name in sorted(free_symbols(size))}
        return tuple(name for name in used if name != BATCH)

    def list_example_sizes(self, explicit: Mapping[str, int]) -> list[Mapping[str, int]]:
        """List the sizes to try as examples: the explicit ones, and usual sizes of images and sequences for the others."""
        from ..inputs.random_inputs import choose_varied_shapes

        free = [name for name in self.symbols if name not in explicit]
        smallest = {**choose_varied_shapes(self.program, 1)[0][0], **explicit}
        ladders = {name: self._list_usual_sizes(name) for name in free}
        rungs = range(max(map(len, ladders.values()), default=0))
        candidates = [{**smallest, **{name: ladder[min(rung, len(ladder) - 1)] for name, ladder in ladders.items()}} for rung in rungs]
        # A `where` may exclude every usual size.
        return [sizes for sizes in candidates if self._allows_sizes(sizes)] or [smallest]

    def _list_usual_sizes(self, name: str) -> list[int]:
        """List usual sizes of a dimension, in ascending order.

        Different dimensions get different sizes, so that torch.export does not take them for one. Networks for images halve their sizes
        five times or more, and windows of sound have hundreds of samples.
        """
        index = self.symbols.index(name)
        for type_ in self.types:
            # The first axis is the batch.
            sizes, named = type_.shape[1:], [size for size in type_.shape[1:] if isinstance(size, SymDim)]
            if not type_.dtype.is_float or not any(name in free_symbols(size) for size in named):
                continue
            if len(named) > 1:
                return [first + index * first // 2 for first in IMAGES]
            if len(sizes) <= 2:
                return [first + index * first // 8 for first in (*SEQUENCES, *SOUNDS)]
        return [first + index * first // 8 for first in SEQUENCES]

    def _allows_sizes(self, sizes: Mapping[str, int]) -> bool:
        known = dict(sizes)
        known |= {
            name: evaluate_dim(dim, sizes)
            for name, dim in self.program.dims.items()
            if name not in sizes and free_symbols(dim) <= set(sizes)
        }
        return all(condition_holds(condition, known) for condition, _ in self.program.conditions)

    def draw_examples(self, sizes: Mapping[str, int], seed: int = 0) -> list[Array]:
        """Draw a random array for each input, with these symbolic sizes."""
        import numpy as np

        from ..inputs.random_inputs import draw_array

        generator = np.random.default_rng(seed)
        shapes = [tuple(evaluate_dim(size, sizes) for size in shape) for shape in self._list_raw_shapes()]
        return [draw_array(type_.dtype, shape, generator) for type_, shape in zip(self.types, shapes, strict=True)]

    def _list_raw_shapes(self) -> list[tuple[Dim, ...]]:
        """Return the shapes with the declared names. A `where` may have replaced a name by a formula of another one."""
        named = {
            dim: make_symbol(name) for name, dim in self.program.dims.items() if isinstance(dim, SymDim) and not str(dim).isidentifier()
        }
        return [tuple(named.get(size, size) if isinstance(size, SymDim) else size for size in type_.shape) for type_ in self.types]

    def list_axes(self) -> list[Mapping[int, str]]:
        """Return the names of the symbolic axes of each input. Raises `WrongInput` for a size that is computed."""
        axes: list[Mapping[int, str]] = []
        for shape in self._list_raw_shapes():
            symbolic = {axis: str(size) for axis, size in enumerate(shape) if isinstance(size, SymDim)}
            computed = next((size for size in symbolic.values() if not size.isidentifier()), None)
            if computed is not None:
                raise WrongInput(f"the size of an axis is a number or a name, not `{computed}`")
            axes.append(symbolic)
        return axes


def parse_inputs(texts: Sequence[str], sizes: Mapping[str, int] | None = None) -> DeclaredInputs:
    """Parse declarations of inputs, with `sizes` for symbolic dimensions. Raises `WrongInput`."""
    named = [(match[1], match[2]) if (match := _NAMED.fullmatch(text)) else (None, text) for text in texts]
    names = [name for name, _ in named if name is not None]
    if (twice := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise WrongInput(f"`{twice}` is declared twice")
    lines: list[str] = []
    for index, (_, text) in enumerate(named):
        words = text.strip().removeprefix("input ").strip()
        # `batch=false` is the only `=` that a declaration may contain
        declaration = words.partition(" where ")[0].replace("batch=false", "")
        # The text is put into a spec below, so it must not contain other statements.
        if "=" in declaration or any(sign in words for sign in ("\n", ";", "->", "#", "{")):
            raise WrongInput(f"`{text}` is no shape and element type, such as `3x224x224` or `[T] int64`")
        lines.append(f"input_{index} = input {words}")
    lines.append("out " + ", ".join(f"input_{index}" for index in range(len(named))))
    analysis = analyze(SourceFile("<input>", "\n".join(lines)), Choice(dims=dict(sizes or {})))
    if analysis.program is None:
        error = next((d for d in analysis.diagnostics if d.severity == "error"), None)
        reason = "it does not parse" if error is None else "; ".join((error.message, *error.help))
        raise WrongInput(f"`{', '.join(texts)}` declares no inputs: {reason}")
    return DeclaredInputs(tuple(name for name, _ in named), analysis.program)


def parse_conditions(where: str, dims: Mapping[str | int, Mapping[int, str] | Sequence[str | None]]) -> list[Condition]:
    """Parse conditions on symbolic axes, such as `T >= 2, T <= 64`. `dims` has the names of axes by input. Raises `WrongInput`.

    >>> [str(condition) for condition in parse_conditions("T >= 2, S == 2 * T", {0: ["N", "T"], 1: {1: "S"}})]
    ['T >= 2', 'S == 2*T']
    """
    if not where:
        return []
    names = [name for axes in dims.values() for name in (axes.values() if isinstance(axes, Mapping) else axes)]
    sizes = dict.fromkeys(name for name in names if name not in (None, BATCH))
    return parse_inputs([f"[{', '.join(map(str, sizes))}] where {where}"]).conditions
