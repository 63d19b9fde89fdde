"""Stages that a block takes as parameters, such as `activation` and `norm`."""

from __future__ import annotations

from netc.dsl.record import Record

from ..ops.operator import Operator


class StageParameter(Record):
    """The parameter `name` of the block, whose value made a node; `default` is its default, if that is an operator without arguments."""

    name: str
    default: Operator | None = None
