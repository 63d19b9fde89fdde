"""Errors and warnings for the habits of other libraries: a batch axis in a shape, channels last, the channels of the input as an argument.

The text may be valid, but it means something else in netc than in Keras, PyTorch or ONNX.

>>> import netc
>>> netc.compile("input [None, 3] -> dense 2")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[batch-size-unknown]: `None` is not a size; the batch axis is implied, and has any size
 --> <text>:1:7
  |
1 | input [None, 3] -> dense 2
  |       ^^^^^^^^^
  |
  = help: write the shape without it: `input [3]`
...
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..dims import format_dim
from ..types.tensor_types import TensorType
from .problem import Problem, Replacement


class BatchSizeUnknown(Problem):
    """An open size for the batch, as in Keras and ONNX: `input [None, 3]`, `input [-1, 3]`."""

    code: ClassVar[str] = "batch-size-unknown"
    found: str
    rest: str

    def format_message(self) -> str:
        return f"`{self.found}` is not a size; the batch axis is implied, and has any size"

    def format_help(self) -> tuple[str, ...]:
        return (f"write the shape without it: `input {self.rest}`",)

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.rest, safe=True)


class BatchAxisWritten(Problem):
    """A batch axis in the shape, as in PyTorch's shapes: `input [N, 3]`, `input [B, 3]`."""

    code: ClassVar[str] = "batch-axis-written"
    severity: ClassVar[Severity] = "warning"
    name: str
    found: str
    rest: str

    def format_message(self) -> str:
        return f"the batch axis is implied: the shape of this input is {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (f"remove `{self.name}` from the shape", "for a tensor without a batch axis, write `batch=false`")

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.rest)


def looks_like_batch(found: TensorType) -> bool:
    """Whether a shape looks like a batch of images after the batch axis: [N, 32, 3, 224, 224]."""
    if found.rank != 5 or not found.is_batch:
        return False
    channels, high, wide = found.shape[2:]
    # A size of up to 4 is too small for an image. A symbolic size may be one.
    return channels in (1, 3) and all(not isinstance(size, int) or size > 4 for size in (high, wide))


class BatchTakenForChannels(Problem):
    """A convolution or pool of `input [32, 3, 224, 224]`, whose first size is probably the size of the batch."""

    code: ClassVar[str] = "batch-axis-written"
    severity: ClassVar[Severity] = "warning"
    operator: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` takes axis 1 of {self.found} for the channels, and slides over all three axes after it"

    def format_help(self) -> tuple[str, ...]:
        image = "x".join(format_dim(size) for size in self.found.shape[2:])
        return (f"the batch axis is implied: if the first size is the batch, leave it out: `input {image}`",)


class BatchSizeWritten(Problem):
    """`input [32, 3] -> dense 2`: every stage treats the 32 positions alike, as if they were samples."""

    code: ClassVar[str] = "batch-axis-written"
    severity: ClassVar[Severity] = "warning"
    found: TensorType
    size: str
    rest: str

    def format_message(self) -> str:
        return f"no stage combines the {self.size} positions along axis 1 of {self.found}, as if they were a batch"

    def format_help(self) -> tuple[str, ...]:
        return (
            f"the batch axis is implied: if the first size is the batch, leave it out: `input {self.rest}`",
            f"if it is not, write `{self.size}x{self.rest}`",
        )

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.rest)


class ChannelsWrittenFirst(Problem):
    """`conv 3 8` of an image with 3 channels, in PyTorch's order."""

    code: ClassVar[str] = "channels-written"
    severity: ClassVar[Severity] = "warning"
    operator: str
    channels: int
    kernel: int

    def format_message(self) -> str:
        channels = "one channel" if self.channels == 1 else f"{self.channels} channels"
        return f"`{self.operator}` has {channels} like its input, and a kernel of size {self.kernel}"

    def format_help(self) -> tuple[str, ...]:
        return (input_channels_hint(self.operator, self.kernel),)


def looks_channels_last(found: TensorType) -> bool:
    """Whether a shape looks like an image [N, H, W, C] with 1, 3 or 4 channels: H and W are too large to be channels."""
    if found.rank != 4 or not found.is_batch:
        return False
    _, high, wide, last = found.shape
    # Gray, RGB or RGBA. A sequence of small feature maps, such as `[N, 4, 4, 3]`, must not be taken for an image.
    return last in (1, 3, 4) and isinstance(high, int) and isinstance(wide, int) and high > 4 and wide > 4


def channels_first(found: TensorType) -> tuple[str, ...]:
    """Make the help for an image with channels last."""
    high, wide, channels = (format_dim(size) for size in found.shape[1:])
    return (
        f"channels come first: write `input {channels}x{high}x{wide}`",
        "for images with channels last, insert `-> permute [0, 3, 1, 2]` before this",
    )


PERMUTED = Replacement("permute [0, 3, 1, 2] -> ", before=True)
"""The text that the help of `channels_first` inserts."""


class ChannelsLast(Problem):
    """A convolution or pool of an input that looks like an image with channels last."""

    code: ClassVar[str] = "channels-last"
    severity: ClassVar[Severity] = "warning"
    operator: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` takes axis 1 of {self.found} for the channels, of which there are {format_dim(self.found.shape[1])}"

    def format_help(self) -> tuple[str, ...]:
        return channels_first(self.found)

    def make_replacement(self) -> Replacement | None:
        return PERMUTED


def input_channels_hint(operator: str, channels: int) -> str:
    """Make the help for `conv 3 8`, in PyTorch's order."""
    return f"the channels of the input are known from the input, and are not written: `{operator} {channels} KERNEL`"
