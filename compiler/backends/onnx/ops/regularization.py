"""Operators that act in training only are nothing in ONNX: the result is the input."""

from __future__ import annotations

from ....ops.base import Operator
from ....ops.mode import ByMode
from ....ops.regularization import AlphaDropout, ChannelDropout, Dropout, DropPath, Identity
from ..table import Site, emits


@emits(ByMode, onnx="nothing")
def by_mode(op: ByMode, site: Site) -> str:
    return site.evaluation.name


@emits(Identity, Dropout, ChannelDropout, AlphaDropout, DropPath, onnx="nothing")
def nothing(op: Operator, site: Site) -> str:
    return site.x.name
