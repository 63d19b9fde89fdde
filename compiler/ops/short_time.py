"""Short-time Fourier transforms: from sound to spectrograms, and back. Complex numbers are a last axis of two, as in `spectral`.

In: one tensor, and a window of weights, which is 1 unless it is given. Out: one tensor. Always: windows are `hop_length` apart, by default
a quarter of `n_fft`; weights fewer than `n_fft` are in the middle of a window.
"""

from __future__ import annotations

from ..dims import Dim, format_dim, suggest_equality
from ..errors.operator_errors import BadArgument, EmptyResult, KernelTooLarge, Unprovable, WrongSize
from ..errors.problem import argument_location
from ..errors.shape import PadTooLarge, UnprovableSize
from ..types.tensor_types import TensorType
from .element_types import FULL_FLOATS
from .kinds import COUNT, FLAG, SIZE, WordKind
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import at_least_text
from .spectral import require_pairs
from .windows import Window

WORK = 12
"""The number of operations for each number: twice the multiply-adds of a transform of size 32 and of a weight."""
WEIGHTS = axes("w", "weights, with one axis")


class ShortTime(Operator):
    """The base of both directions: their windows and arguments."""

    n_fft = Arg(COUNT, positional=True)
    hop_length = Arg(COUNT, default=None, positional=True)
    win_length = Arg(COUNT, default=None)
    center = Arg(FLAG, default=True)
    normalized = Arg(FLAG, default=False)
    onesided = Arg(FLAG, default=True)

    def hop_size(self) -> int:
        """Return the distance between windows."""
        if self.hop_length is not None:
            return self.hop_length
        # A quarter, PyTorch's default, would be 0 here.
        if self.n_fft < 4:
            needed = "must be at least 4 unless `hop_length` is given, a quarter of it"
            raise OperatorError(BadArgument(self.name, "n_fft", str(self.n_fft), needed), argument_location("n_fft"))
        return self.n_fft // 4

    def window_size(self) -> int:
        """Return the number of weights."""
        return self.n_fft if self.win_length is None else self.win_length

    def count_bins(self) -> int:
        """Return the number of frequencies."""
        return self.n_fft // 2 + 1 if self.onesided else self.n_fft

    def edge_size(self) -> int:
        """Return the number of elements added at each end so that the first window is centered on the first element."""
        return self.n_fft // 2 if self.center else 0

    def check_weights(self, inputs: OpInputs) -> None:
        """Refuse more weights than a window has, and a number of weights that differs from `win_length`."""
        size = self.window_size()
        if size > self.n_fft:
            needed = f"must be at most `n_fft`, {self.n_fft}"
            raise OperatorError(BadArgument(self.name, "win_length", str(size), needed), argument_location("win_length"))
        window = inputs.get("window")
        if window is None:
            return
        # PyTorch puts the weights in the middle of `n_fft` elements, so their number must be `win_length`.
        same = inputs.facts.are_equal(window.shape[0], size)
        if same is False:
            raise OperatorError(WrongSize(self.name, f"a window of {size} weights", window), inputs.at("window"))
        if same is None:
            need = f"there are {size} weights"
            problem = UnprovableSize(need, "this is the size of the window", suggest_equality(window.shape[0], size) or "")
            raise OperatorError(problem, inputs.at("window"))


class Stft(ShortTime):
    """The Fourier transforms of windows of a signal: `[N, T]` becomes `[N, frequencies, windows, 2]`. A single signal has no `N`."""

    name = "stft"
    x = Input(FULL_FLOATS, axes("... T", "[N, T]", most=2))
    window = Input(FULL_FLOATS, WEIGHTS, like="x", optional=True)
    pad_mode = Arg(WordKind("reflect", "constant", "replicate", "circular"), default="reflect", only_with=("center",))
    examples = (
        "input [16000] -> stft 400 160 -> norm axis=-1",
        "x = input [T] where T >= 33; w = param [64] init=ones trainable=false as window; (x, w) -> stft 64 16",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        hop = self.hop_size()
        self.check_weights(inputs)
        self._check_edge(inputs)
        size = x.shape[-1] + 2 * self.edge_size()
        count = Window(self.n_fft, hop).count_windows(size)
        if inputs.facts.is_at_least(count, 1) is False:
            problem = KernelTooLarge(self.name, x.rank - 1, self.n_fft, x.shape[-1], size, x)
            raise OperatorError(problem, argument_location("n_fft"))
        return (x.with_shape((*x.shape[:-1], self.count_bins(), count, 2)),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """About the operations of a fast Fourier transform for each number, and a weight."""
        return WORK * numel(results[0].shape)

    def _check_edge(self, inputs: OpInputs) -> None:
        """Refuse a signal that is too short for the elements that are reflected or wrapped around."""
        x, edge = inputs.x, self.edge_size()
        if not edge or self.pad_mode not in ("reflect", "circular"):
            return
        # A reflection does not repeat the element at the edge, so it needs one element more.
        least = edge + 1 if self.pad_mode == "reflect" else edge
        enough = inputs.facts.is_at_least(x.shape[-1], least)
        if enough is False:
            raise OperatorError(PadTooLarge(self.pad_mode, x.rank - 1, edge, x, "stft pad_mode"), argument_location("n_fft"))
        if enough is None:
            need = f"{format_dim(x.shape[-1])} is at least {least}"
            raise OperatorError(UnprovableSize(need, "the ends are padded", at_least_text(x.shape[-1], least)), argument_location("n_fft"))


class Istft(ShortTime):
    """The inverse of `stft`: the signal whose windows these are, `[N, frequencies, windows, 2]` to `[N, T]`.

    Of all frequencies, the first half counts: the others are taken to be their conjugates. The sum of the squared weights must be 0 at no
    element, which PyTorch checks. `length` cuts the signal off, or fills it up with zeros.
    """

    name = "istft"
    x = Input(FULL_FLOATS, axes("... f t two", "[N, frequencies, windows, 2]", most=4))
    window = Input(FULL_FLOATS, WEIGHTS, like="x", optional=True)
    length = Arg(SIZE, default=None)
    examples = ("input [16000] -> stft 400 160 -> istft 400 160",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        hop = self.hop_size()
        self.check_weights(inputs)
        require_pairs(self.name, inputs)
        # Elements between two windows would have no weight at all, so they could not be restored.
        if hop > self.window_size():
            needed = f"must be at most the number of weights, {self.window_size()}"
            raise OperatorError(BadArgument(self.name, "hop_length", str(hop), needed), argument_location("hop_length"))
        self._check_bins(inputs)
        size = self.padded_length(x) - 2 * self.edge_size()
        if inputs.facts.is_at_least(size, 1) is False:
            raise OperatorError(EmptyResult(self.name, (*x.shape[:-3], size), x.rank - 3, needs_elements=True), argument_location("n_fft"))
        return (x.with_shape((*x.shape[:-3], size if self.length is None else self.length)),)

    def padded_length(self, x: TensorType) -> Dim:
        """Return the length of the signal with both padded ends."""
        return self.n_fft + self.hop_size() * (x.shape[-2] - 1)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """About the operations of a fast Fourier transform for each number, and a weight."""
        return WORK * numel(inputs.x.shape)

    def _check_bins(self, inputs: OpInputs) -> None:
        x, bins = inputs.x, self.count_bins()
        same = inputs.facts.are_equal(x.shape[-3], bins)
        if same is False:
            raise OperatorError(WrongSize(self.name, f"{bins} frequencies for `n_fft` {self.n_fft}", x), inputs.at("x"))
        if same is None:
            need = f"axis {x.rank - 3} must be the number of frequencies"
            raise OperatorError(
                Unprovable(self.name, x.shape[-3], bins, need, suggest_equality(x.shape[-3], bins) or "", (0, 0)), inputs.at("x")
            )
