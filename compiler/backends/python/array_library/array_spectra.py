"""Complex numbers and spectra."""

from __future__ import annotations

from collections.abc import Sequence

from .array_pooling import slide
from .array_words import Array, np, xp


def to_complex(x: Array) -> Array:
    """Pairs along the last axis as complex numbers."""
    return x[..., 0] + 1j * x[..., 1]


def to_pairs(x: Array) -> Array:
    """Complex numbers as pairs along a last axis."""
    return xp.stack((x.real, x.imag), axis=-1)


def pad_edges(x: Array, pads: Sequence[tuple[int, int]], mode: str) -> Array:
    """Pads a tensor at its ends with its own elements: mirrored (reflect), repeated (replicate), or from the other end (circular)."""
    for axis, (before, after) in enumerate(pads):
        size, span = x.shape[axis], max(2 * (x.shape[axis] - 1), 1)
        places = range(-before, size + after)
        low, high = max(-before, 0), size - max(-after, 0)
        if mode == "reflect":
            index = [min(i % span, span - i % span) for i in places]
        else:
            index = [low + (i - low) % (high - low) if mode == "circular" else min(max(i, 0), size - 1) for i in places]
        x = xp.take(x, xp.array(index), axis=axis) if before or after else x
    return x


def short_time_window(n_fft: int, win_length: int | None, window: Array | None, like: Array) -> Array:
    """The weights of a window, in the middle of `n_fft` numbers."""
    size = win_length or n_fft
    weights = xp.ones(size, like.dtype) if window is None else window
    return xp.pad(weights, ((n_fft - size) // 2, n_fft - size - (n_fft - size) // 2))


def stft(
    x: Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Array | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    pad_mode: str = "reflect",
) -> Array:
    """The Fourier transforms of windows: [..., T] -> [..., frequencies, windows, 2]."""
    if center:
        pads = [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)]
        x = xp.pad(x, pads) if pad_mode == "constant" else pad_edges(x, pads, pad_mode)
    frames = x[..., slide(x.shape[-1], n_fft, hop_length or n_fft // 4)]
    frames = frames * short_time_window(n_fft, win_length, window, x)
    spectrum = xp.fft.rfft(frames) if onesided else xp.fft.fft(frames)
    return to_pairs((spectrum * (n_fft**-0.5 if normalized else 1)).swapaxes(-1, -2))


def istft(
    x: Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Array | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    length: int | None = None,
) -> Array:
    """The signal whose windows have these transforms: [..., frequencies, windows, 2] -> [..., T]."""
    spectrum = to_complex(x).swapaxes(-1, -2) * (n_fft**0.5 if normalized else 1)
    frames = xp.fft.irfft(spectrum, n_fft) if onesided else xp.fft.ifft(spectrum).real
    weights = short_time_window(n_fft, win_length, window, frames)
    places = np.arange(frames.shape[-2])[:, None] * (hop_length or n_fft // 4) + np.arange(n_fft)
    total = int(places[-1, -1]) + 1
    signal = xp.zeros((*frames.shape[:-2], total), frames.dtype).at[..., places].add(frames * weights)
    envelope = xp.zeros(total, frames.dtype).at[places].add(weights**2)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - start
    covered = slice(start, min(end, total))
    y = signal[..., covered] / envelope[covered]
    return xp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, end - covered.stop)])
