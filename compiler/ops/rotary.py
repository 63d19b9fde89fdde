"""Rotary position embedding: queries and keys are rotated by an angle that grows with their position.

In: queries or keys, `[..., T, D]`, and perhaps the position of each. Out: a tensor of the same type. Always: the angles are computed in
float32 (float64 for float64) and only their cosines and sines rounded to the input's type, as in published models.
"""

from __future__ import annotations

from inspect import cleandoc

from ..dims import Dim, format_dim, suggest_divisibility, suggest_equality
from ..errors.operator_errors import BadArgument, Unprovable, UnprovableMultiple, WrongRank, WrongSize
from ..errors.problem import STAGE, argument_location
from ..errors.shape import UnprovableSize
from ..types.tensor_types import Shape, TensorType, show_shape
from .element_types import FLOATS, INTEGERS
from .kinds import FLAG, IntKind, NumberKind
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import at_least_text


class Rotary(Operator):
    """Rotary position embedding: rotates the i-th pair of features by `position / base ** (2 i / dims)`.

    The pairs are features `i` and `i + dims / 2`, as in Llama and GPT-NeoX, or with `interleaved` `2 i` and `2 i + 1`, as in GPT-J. Only
    the first `dims` features are rotated, by default all. Positions count from 0; a second input, `[N, T]` or `[T]`, gives them.
    """

    name = "rotary"
    definition = """
        let turned = dims if given(dims) else x.shape[-1]
        let half = turned // 2
        wide = table (i) [half] float64 = 1 / base ** (2 * i / turned)
        frequency = wide -> if x.dtype != float64 { cast float32 }
        position = if given(positions) { positions } else { table (t) [x.shape[-2]] = t }
        angle = (position -> cast frequency.dtype -> unsqueeze (-1)) * frequency
        aligned = angle -> repeat x.rank - 3 if position.rank == 2 else 0 { unsqueeze 1 }
        cosine = cos(aligned) -> cast x.dtype
        sine = sin(aligned) -> cast x.dtype
        part = x -> slice axis=-1 stop=turned
        a = part -> if interleaved { slice axis=-1 step=2 } else { slice axis=-1 stop=half }
        b = part -> if interleaved { slice axis=-1 start=1 step=2 } else { slice axis=-1 start=half }
        first = a * cosine - b * sine
        second = b * cosine + a * sine
        rotated = if interleaved { (first, second) -> stack axis=-1 -> flatten start=-2 } else { (first, second) -> concat axis=-1 }
        if whole { rotated } else { (rotated, x -> slice axis=-1 start=turned) -> concat axis=-1 }
    """
    x = Input(FLOATS, axes("... T D", "[N, heads, T, features] or [N, T, features]"))
    positions = Input(INTEGERS, axes("... T"), optional=True)
    base = Arg(NumberKind(above=0), default=10000)
    dims = Arg(IntKind(2, varies=True), default=None)
    interleaved = Arg(FLAG, default=False)
    examples = (
        "input 8xTx64 -> rotary",
        "q = input 8xTx64; positions = input [T] int64; (q, positions) -> rotary base=500000 dims=32",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        self._refuse_features(inputs, x)
        if "positions" in inputs:
            self._refuse_positions(inputs, x)
        return (x,)

    def rotated_size(self, x: TensorType) -> Dim:
        """Return the number of features that are rotated."""
        return x.shape[-1] if self.dims is None else self.dims

    def _refuse_features(self, inputs: OpInputs, x: TensorType) -> None:
        size, facts = x.shape[-1], inputs.facts
        # Without `dims`, all features are rotated in pairs, so their number must be even.
        if self.dims is None:
            even = facts.divides(2, size)
            if even is False:
                hint = f"turn only some of them: `dims={format_dim(size - 1)}`" if size != 1 else ""
                raise OperatorError(WrongSize(self.name, "an even number of features", x, hint), inputs.at("x"))
            if even is None:
                raise OperatorError(UnprovableMultiple(self.name, 2, size, suggest_divisibility(2, size)), STAGE)
            return
        if self.dims % 2:
            raise OperatorError(BadArgument(self.name, "dims", str(self.dims), "must be even"), argument_location("dims"))
        enough = facts.is_at_least(size, self.dims)
        if enough is False:
            needed = f"must be at most the {format_dim(size)} features"
            raise OperatorError(BadArgument(self.name, "dims", str(self.dims), needed), argument_location("dims"))
        if enough is None:
            need = f"{format_dim(size)} is at least {self.dims}"
            raise OperatorError(UnprovableSize(need, f"`{self.name}` needs it", at_least_text(size, self.dims)), argument_location("dims"))

    def _refuse_positions(self, inputs: OpInputs, x: TensorType) -> None:
        positions = inputs.positions
        each: Shape = (x.shape[-2],)
        # One list of positions for all samples, or one for each.
        forms = [each, (x.shape[0], *each)] if x.rank > 2 else [each]
        needed = "positions of shape " + " or ".join(show_shape(f) for f in forms)
        wanted = next((f for f in forms if len(f) == positions.rank), None)
        if wanted is None:
            raise OperatorError(WrongRank(self.name, needed, positions), inputs.at("positions"))
        for actual, size in zip(positions.shape, wanted, strict=True):
            same = inputs.facts.are_equal(actual, size)
            if same is False:
                raise OperatorError(WrongSize(self.name, needed, positions), inputs.at("positions"))
            if same is None:
                raise OperatorError(Unprovable(self.name, size, actual, f"it takes {needed}", suggest_equality(size, actual) or ""), STAGE)

    def write_definition(self, inputs: OpInputs) -> str:
        """Bind `is_whole` in front of the text: whether all features are rotated. The text itself cannot ask what only the facts prove."""
        is_whole = inputs.facts.are_equal(self.rotated_size(inputs.x), inputs.x.shape[-1]) is True
        return f"let whole = {str(is_whole).lower()}\n{cleandoc(self.definition)}"

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Two products and a sum for each rotated feature. Cosines and sines, which all heads share, do not count."""
        return 3 * numel(results[0].shape[:-1]) * self.rotated_size(results[0])
