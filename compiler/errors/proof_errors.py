"""Errors of claims about a model: `--ignores`, `--separates`, and `expect` with these words.

>>> Leak("ignores", "mask", "mean", "y").format_message()
'`mean` lets hidden positions of `mask` reach the output `y`'
"""

from __future__ import annotations

from typing import ClassVar

from ..types.tensor_types import Shape, TensorType, show_shape
from .problem import Problem


class Leak(Problem):
    """A stage at which positions reach an output that must not depend on them. `evidence`: what running the model has shown."""

    code: ClassVar[str] = "leak"
    verb: str
    name: str
    operator: str
    output: str
    has_rule: bool = True
    meets: bool = False
    evidence: str = ""

    def format_message(self) -> str:
        if self.verb == "ignores":
            return f"`{self.operator}` lets hidden positions of `{self.name}` reach the output `{self.output}`"
        return f"`{self.operator}` mixes what `{self.name}` separates in the output `{self.output}`"

    def format_label(self) -> str:
        if self.verb == "ignores":
            return "an element of its result depends on hidden positions"
        if self.meets:
            return "an element of its result has two positions and depends on the groups of both"
        return "an element of its result depends on other groups"

    def format_notes(self) -> tuple[str, ...]:
        without = "netc has no rule for this operator, so each element of its result counts as depending on all of its inputs"
        return tuple(note for note in ("" if self.has_rule else without, self.evidence) if note)


class UnknownPositions(Problem):
    """A claim about a name that is neither an input nor, of `separates`, a dimension."""

    code: ClassVar[str] = "unknown-positions"
    verb: str
    name: str
    inputs: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()

    def format_message(self) -> str:
        kinds = "input" if self.verb == "ignores" else "input or dimension"
        return f"the model has no {kinds} `{self.name}`"

    def format_help(self) -> tuple[str, ...]:
        names = [*self.inputs, *(self.dimensions if self.verb == "separates" else ())]
        kinds = "inputs" if self.verb == "ignores" else "inputs and dimensions"
        return (f"its {kinds} are " + ", ".join(f"`{name}`" for name in names),) if names else ()


class WrongMaskType(Problem):
    """A claim about an input of a type that does not tell positions apart."""

    code: ClassVar[str] = "wrong-mask-type"
    verb: str
    name: str
    found: TensorType

    def format_message(self) -> str:
        needed = "booleans, or of the integers 0 and 1" if self.verb == "ignores" else "integers"
        return (
            f"`{self.verb} {self.name}` needs an input of {needed}, and `{self.name}` is {self.found.dtype} {show_shape(self.found.shape)}"
        )


class NothingToHide(Problem):
    """A claim that no input is subject to."""

    code: ClassVar[str] = "nothing-to-hide"
    verb: str
    name: str
    shape: Shape

    def format_message(self) -> str:
        return f"no input has the positions of `{self.name}`, {show_shape(self.shape)}"
