"""A program in the form that transformers calls, and the names of its inputs.

For example, a language model takes `inputs_embeds` and `position_ids` in place of its tokens.
"""

from __future__ import annotations

from typing import Any

from netc.dsl.record import Record

from ....ir.graph import CallNode, Program

EMBEDS, POSITIONS, SEGMENTS, PIXELS = "inputs_embeds", "position_ids", "token_type_ids", "pixel_values"


class NotPretrained(Exception):
    """A program that has no form for transformers, and why. `label`: the label of the stage that is the reason, if one is."""

    def __init__(self, reason: str, label: str = "") -> None:
        super().__init__(reason)
        self.label = label


class AttentionLayer(Record):
    """An attention of the model. The sizes are traced to the parameters of the model where they can be. `repeated` is the number of
    iterations of the loop around it, 1 without a loop."""

    path: str
    heads: Any
    key_heads: Any
    head_size: Any
    window: Any
    repeated: Any


class PretrainedProgram(Record):
    """A rewritten `program`.

    `base` is the call of the base model in its main graph, None if the model has no part that is one. `embedding` is the path of the
    embedding of tokens, of which `vocabulary` and `width` are the sizes. `positions`: it depends on positions. `segments`: it takes
    segments. `scores` is the path of the dense layer that computes its result, empty if another stage does.
    """

    program: Program
    base: CallNode | None
    embedding: str
    vocabulary: Any
    width: Any
    attentions: tuple[AttentionLayer, ...]
    positions: bool
    segments: bool
    scores: str
