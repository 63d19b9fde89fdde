"""Warns of stages that are valid, but almost always a mistake of somebody who is used to another library's order of axes.

The functions take an operator and its inputs, and return the warnings with their locations. What people write on purpose, such as a kernel
as large as a patch, gives none.

    >>> import netc
    >>> (warning,) = netc.compile("input 32x32x3 -> conv 8 3x3").diagnostics
    >>> print(warning.message)
    `conv` takes axis 1 of [N, 32, 32, 3] for the channels, of which there are 32
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netc.dsl.record import replace

from ...errors.dense import DenseAfterSpatial
from ...errors.habit_errors import BatchTakenForChannels, ChannelsLast, ChannelsWrittenFirst, looks_channels_last, looks_like_batch
from ...errors.operator_errors import KernelTooLarge
from ...errors.problem import STAGE, Location, Problem, argument_location
from ...ir.graph_values import Value
from ...ops.operator import Operator
from ...types.tensor_types import TensorType
from ..scopes.scope import GraphFrame

_SQUARE = re.compile(r"\binput\s+([0-9]{1,9})x\1\b(?!x)")
_SMALLEST_IMAGE = 8

_CONVOLUTIONS = ("conv", "conv_transpose")
"""By name, so that models without them do not import them."""
_CHANNELS = 8
"""An even number from this on is rarely a kernel, and often the number of channels."""


def find_habit_warnings(op: Operator, inputs: list[Value], result: TensorType, frame: GraphFrame) -> Iterator[tuple[Problem, Location]]:
    """Yield the problems of one stage; problems with the first input are marked there."""
    # Asked for every stage, so the common case ends here.
    if not inputs or not (op.spatial or inputs[0].spatial or op.name == "dense"):
        return
    x = inputs[0]
    if looks_channels_last(x.type) and _slides_over_input(op, x, frame):
        yield ChannelsLast(op.name, x.type), STAGE
    if op.spatial and looks_like_batch(x.type) and x in frame.graph.inputs:
        yield BatchTakenForChannels(op.name, x.type), STAGE
    if _has_pytorch_order(op, x.type):
        yield ChannelsWrittenFirst(op.name, op.args["channels"], op.args["kernel"]), argument_location("kernel")
    if _is_dense_on_image(op, x) or (op.name == "dense" and x in frame.graph.inputs and _is_square(x)):
        yield DenseAfterSpatial(x.type, result), STAGE


def add_habit_help(problem: Problem, op: Operator, inputs: list[Value], frame: GraphFrame) -> Problem:
    """The problem with the help that these habits ask for."""
    if not isinstance(problem, KernelTooLarge) or not inputs:
        return problem
    if _slides_over_input(op, inputs[0], frame) and looks_channels_last(inputs[0].type):
        return replace(problem, channels_last=True)
    return replace(problem, channels_first=op.args["kernel"]) if _has_pytorch_order(op, inputs[0].type) else problem


def _slides_over_input(op: Operator, x: Value, frame: GraphFrame) -> bool:
    """Whether a window slides over the last axis of one of the model's inputs that is written as an image is."""
    kernel = op.args.get("kernel", 1)
    span = kernel[-1] if isinstance(kernel, tuple) and kernel else kernel
    return op.spatial and span != 1 and frame.graph.kind == "model" and x.spatial and x in frame.graph.inputs


def _is_dense_on_image(op: Operator, x: Value) -> bool:
    return x.spatial and x.type.rank >= 3 and op.name == "dense"


def _is_square(x: Value) -> bool:
    """Whether an input is written as a square, `input 28x28`: this is an image without channels rather than a sequence of features."""
    written = _SQUARE.search(x.span.text)
    return written is not None and x.type.rank == 3 and int(written[1]) >= _SMALLEST_IMAGE


def _has_pytorch_order(op: Operator, x: TensorType) -> bool:
    """`conv 3 8` of an image of 3 channels: PyTorch's order, where the channels of the input come first. With groups, each of which has
    a part of the channels, as many channels as the input has are usual."""
    if x.rank < 3 or op.name not in _CONVOLUTIONS or x.shape[1] != op.args["channels"] or op.args["groups"] != 1:
        return False
    kernel, stride = op.args["kernel"], op.args["stride"]
    return isinstance(kernel, int) and kernel >= _CHANNELS and kernel % 2 == 0 and kernel > op.args["channels"] and stride == 1
