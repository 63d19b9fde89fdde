"""The assumptions of a proof, which `netc check` prints with it.

>>> assumptions = Assumptions()
>>> assumptions.first = True
>>> assumptions.describe("mask")
('the first position of `mask` is true: an output depends on it alone',)
"""

from __future__ import annotations

from .abstract_tensors import Cause


class Assumptions:
    """What a derivation has assumed so far, and where softmax gives NaN."""

    def __init__(self) -> None:
        self.finite = False
        """All values are finite."""
        self.penalty: float | None = None
        """The finite number that hides scores; of several, the one closest to 0."""
        self.hiding_stage: Cause | None = None
        """The first stage whose scores are hidden by a finite number. If a row has no other score, this stage leaks."""
        self.first = False
        """The first position is visible."""
        self.any_visible = False
        """Each sample has a visible position."""
        self.unordered_leaks: tuple[str, ...] = ()
        """The operators that leak unless the hidden positions of a sample are its last ones."""
        self.binary = False
        """The mask has the numbers 0 and 1."""
        self.risks: dict[str, None] = {}
        """Sentences about stages that give NaN for some rows, because all of their keys are hidden."""

    def note_penalty(self, hiding: float, stage: Cause) -> None:
        """Record that a score of a stage is hidden by a number."""
        if hiding != float("-inf"):
            self.penalty = hiding if self.penalty is None else max(hiding, self.penalty)
            self.hiding_stage = self.hiding_stage or stage

    def describe(self, name: str) -> tuple[str, ...]:
        """Return the assumptions as sentences about the mask `name`."""
        texts = list[str]()
        if self.unordered_leaks:
            operators = " and ".join(f"`{operator}`" for operator in self.unordered_leaks)
            texts.append(
                f"padding is at the end: along the last axis of `{name}`, no true position follows a false one. With other padding, "
                f"{operators} would let hidden positions through"
            )
        if self.finite:
            texts.append("all hidden values are finite, since 0 times NaN or an infinite number is NaN")
        if self.penalty is not None:
            texts.append(
                f"scores with {self.penalty:.3g} added are hidden: each row has a score without it, and no score is nearly that much "
                "higher than another; `-inf` hides any score"
            )
        if self.binary:
            texts.append(f"each number of `{name}` is 0 or 1")
        if self.first:
            texts.append(f"the first position of `{name}` is true: an output depends on it alone")
        if self.any_visible:
            texts.append(f"`{name}` is true somewhere in each sample: an output depends on the last such position")
        return tuple(texts)
