"""Normalisations: by statistics of the batch, of groups of channels, of each channel, of neighbouring channels, of the last axes."""

from __future__ import annotations

from ..dims import Dim, advice
from ..errors.base import argument, input_
from ..errors.normalization import UnprovableShape
from ..errors.operators import BadArgument, NotDivisible, WrongRank, WrongSize
from ..ir.types import FLOAT32, INT64, Shape, TensorType, show_shape
from .base import Arg, Init, Operator, OperatorError, OpInputs, ParameterSpec, numel
from .kinds import BOOL, COUNT, NUMBER, SIZE, ListKind, NumberKind
from .learned import float_input, scale_and_shift
from .windows import spatial_axes

EPS = NumberKind(0)


class _Normalization(Operator):
    """What those with a learned scale and shift share. `steps` counts operations for each number, without those two."""

    takes_activation = True
    pointwise = True
    steps = 5

    def _scales(self) -> tuple[bool, bool]:
        """Whether there is a weight, and whether there is a bias as well."""
        raise NotImplementedError

    def _check_known(self, x: TensorType, axis: int) -> None:
        """PyTorch's module must be told this size. Where it has parameters, they are refused for their shape."""
        if not isinstance(x.shape[axis], int) and not self._scales()[0]:
            needed = f"the size of axis {axis} to be known before run time"
            raise OperatorError(WrongSize(self.name, needed, x, "declare the size as a number, or fix it with `--dim`"), input_(0))

    def _check_enough(self, given: OpInputs, count: Dim, what: str) -> None:
        """One value alone has no variance."""
        if given.facts.equal(count, 1) is True:
            raise OperatorError(WrongSize(self.name, f"more than one value for each {what}", given[0]), input_(0))

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        scale, shift = self._scales()
        return numel(given[0].shape) * (self.steps + scale + (scale and shift))


class _ChannelNormalization(_Normalization):
    """Those whose parameters have one number for each channel."""

    def _scales(self) -> tuple[bool, bool]:
        return self.affine, self.bias

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        x = given[0]
        return scale_and_shift((x.shape[1],), x.dtype, scale=self.affine, shift=self.bias)

    eps = Arg(EPS, default=1e-5)
    affine = Arg(BOOL, default=True)
    bias = Arg(BOOL, default=True)


class _TrackingNormalization(_ChannelNormalization):
    """Those that may keep running statistics in training, to use them in inference."""

    momentum = Arg(NUMBER, default=0.1)
    track_running_stats = Arg(BOOL, default=True)

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        specs = super().parameters(given)
        if not self.track_running_stats:
            return specs
        x = given[0]
        return (
            *specs,
            ParameterSpec("running_mean", (x.shape[1],), Init("zeros"), x.dtype, trainable=False),
            ParameterSpec("running_var", (x.shape[1],), Init("ones"), x.dtype, trainable=False),
            ParameterSpec("num_batches_tracked", (), Init("zeros"), INT64, trainable=False),
        )

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        saved = 3 if self.track_running_stats else 0
        return super().flops(given, results) - saved * numel(given[0].shape)


class BatchNorm(_TrackingNormalization):
    """Each channel less its mean over the batch, by its deviation; in inference, those of the training."""

    name = "batch_norm"
    torch = "torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d"
    onnx = "BatchNormalization"
    examples = ("input 3x32x32 -> conv 8 3x3 bias=false -> batch_norm relu", "input 64 -> batch_norm")

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = float_input(self.name, given)
        if not 2 <= x.rank <= 5:
            raise OperatorError(WrongRank(self.name, "[N, C], or [N, C, ...] with one to three axes more", x), input_(0))
        self._check_known(x, 1)
        if not self.track_running_stats:
            self._check_enough(given, x.shape[0] * numel(x.shape[2:]), "channel")
            if self.eps == 0:
                needed = "must be above 0 without running statistics"
                raise OperatorError(BadArgument(self.name, "eps", "0", needed), argument("eps"))
        return (x,)


class InstanceNorm(_TrackingNormalization):
    """Each channel of each sample less its mean over the spatial axes, by its deviation."""

    name = "instance_norm"
    torch = "torch.nn.InstanceNorm1d, torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d"
    onnx = "InstanceNormalization, or BatchNormalization"
    affine = Arg(BOOL, default=False)
    track_running_stats = Arg(BOOL, default=False)
    examples = ("input 8x32x32 -> instance_norm relu",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = float_input(self.name, given)
        spatial_axes(self.name, x)
        self._check_known(x, 1)
        if not self.track_running_stats:
            self._check_enough(given, numel(x.shape[2:]), "channel")
        return (x,)


class GroupNorm(_ChannelNormalization):
    """Each group of channels of each sample less its mean, by its deviation."""

    name = "group_norm"
    torch = "torch.nn.GroupNorm"
    onnx = "GroupNormalization"
    groups = Arg(COUNT, positional=True)
    examples = ("input 8x32x32 -> group_norm 4 silu",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = float_input(self.name, given)
        if x.rank < 2:
            raise OperatorError(WrongRank(self.name, "[N, C] or [N, C, ...]", x), input_(0))
        self._check_known(x, 1)
        channels = x.shape[1]
        if isinstance(channels, int) and channels % self.groups:
            problem = NotDivisible(self.name, f"{self.groups} groups", f"{channels} channels")
            raise OperatorError(problem, argument("groups"))
        # PyTorch counts the samples too.
        self._check_enough(given, numel(x.shape) // self.groups, "group")
        return (x,)


class _LastAxesNormalization(_Normalization):
    """Those over the last axes: the very last, unless `shape` gives the sizes of several."""

    shape = Arg(ListKind(SIZE, scalar=True, least=1), default=None)
    affine = Arg(BOOL, default=True, alias="elementwise_affine")

    def normalized(self, x: TensorType) -> Shape:
        """The sizes of the axes that are normalised together, PyTorch's `normalized_shape`."""
        return x.shape[-1:] if self.shape is None else x.shape[-len(self.shape) :]

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = float_input(self.name, given)
        if x.rank == 0:
            raise OperatorError(WrongRank(self.name, "at least one axis", x), input_(0))
        if self.shape is not None:
            self._check_shape(given, self.shape)
        for axis in range(x.rank - len(self.normalized(x)), x.rank):
            self._check_known(x, axis)
        return (x,)

    def _check_shape(self, given: OpInputs, shape: Shape) -> None:
        x = given[0]
        wrong = OperatorError(BadArgument(self.name, "shape", show_shape(shape), f"must be the last axes of {x}"), argument("shape"))
        if len(shape) > x.rank:
            raise wrong
        for size, stated in zip(self.normalized(x), shape, strict=True):
            equal = given.facts.equal(size, stated)
            if equal is False:
                raise wrong
            if equal is None:
                need = "`shape` must be the sizes of the last axes"
                raise OperatorError(UnprovableShape(self.name, size, stated, need, advice(size, stated) or ""), argument("shape"))


class LayerNorm(_LastAxesNormalization):
    """The last axis (or axes) less its mean, by its deviation."""

    name = "layer_norm"
    torch = "torch.nn.LayerNorm"
    onnx = "LayerNormalization"
    eps = Arg(EPS, default=1e-5)
    bias = Arg(BOOL, default=True)
    examples = ("input [T, 512] -> layer_norm", "input 3x8x8 -> layer_norm shape=[3, 8, 8] affine=false")

    def _scales(self) -> tuple[bool, bool]:
        return self.affine, self.bias

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        x = given[0]
        return scale_and_shift(self.normalized(x), x.dtype, scale=self.affine, shift=self.bias)


class RMSNorm(_LastAxesNormalization):
    """The last axis (or axes) by the root of its mean square. `eps` is the smallest step of float32 (of float64 for that) unless given."""

    name = "rms_norm"
    torch = "torch.nn.RMSNorm"
    onnx = "RMSNormalization"
    steps = 3
    eps = Arg(EPS, default=None)
    examples = ("input [T, 512] -> rms_norm eps=1e-6",)

    def _scales(self) -> tuple[bool, bool]:
        return self.affine, False

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        x = given[0]
        return scale_and_shift(self.normalized(x), x.dtype, scale=self.affine, shift=False)


class LocalResponseNorm(Operator):
    """Each number by `(k + alpha * the mean square of `size` neighbouring channels) ** beta`; of int64, a float32.

    PyTorch takes int64 on the CPU only, and cuts off the fraction of its mean squares.
    """

    name = "local_response_norm"
    torch = "torch.nn.LocalResponseNorm"
    onnx = "LRN, or Mul, AveragePool, Pow and Div"
    takes_activation = True
    pointwise = True
    size = Arg(COUNT, positional=True)
    alpha = Arg(NUMBER, default=1e-4)
    beta = Arg(NUMBER, default=0.75)
    k = Arg(NUMBER, default=1.0)
    examples = ("input 96x27x27 -> local_response_norm 5",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = given[0] if given[0].dtype == INT64 else float_input(self.name, given)
        if x.rank < 3:
            raise OperatorError(WrongRank(self.name, "[N, C, ...] with at least one axis more", x), input_(0))
        if x.dtype.is_integer and self.beta < 0 and all(isinstance(n, int) for n in (self.alpha, self.beta, self.k)):
            needed = "must be at least 0 where all numbers are whole: those have no negative powers"
            raise OperatorError(BadArgument(self.name, "beta", str(self.beta), needed), argument("beta"))
        return (x if x.dtype.is_float else x.with_dtype(FLOAT32),)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(given[0].shape) * (self.size + 5)
