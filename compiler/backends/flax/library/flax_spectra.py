"""Complex numbers and spectra: definitions for the files of Flax."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ...python.array_library.array_pooling import slide
from ...python.array_library.array_spectra import short_time_window, to_pairs


def to_complex(x: jax.Array) -> jax.Array:
    """Pairs along the last axis as complex numbers."""
    return jax.lax.complex(x[..., 0], x[..., 1])


def stft(
    x: jax.Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: jax.Array | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    pad_mode: str = "reflect",
) -> jax.Array:
    """The Fourier transforms of windows: [..., T] -> [..., frequencies, windows, 2]."""
    modes = {"replicate": "edge", "circular": "wrap"}
    if center:
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode=modes.get(pad_mode, pad_mode))
    frames = x[..., slide(x.shape[-1], n_fft, hop_length or n_fft // 4)]
    frames = frames * short_time_window(n_fft, win_length, window, x)
    spectrum = jnp.fft.rfft(frames) if onesided else jnp.fft.fft(frames)
    return to_pairs((spectrum * (n_fft**-0.5 if normalized else 1)).swapaxes(-1, -2))


def istft(
    x: jax.Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: jax.Array | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    length: int | None = None,
) -> jax.Array:
    """The signal whose windows have these transforms: [..., frequencies, windows, 2] -> [..., T]."""
    spectrum = to_complex(x).swapaxes(-1, -2) * (n_fft**0.5 if normalized else 1)
    frames = jnp.fft.irfft(spectrum, n_fft) if onesided else jnp.fft.ifft(spectrum).real
    weights = short_time_window(n_fft, win_length, window, frames)
    places = np.arange(frames.shape[-2])[:, None] * (hop_length or n_fft // 4) + np.arange(n_fft)
    total = int(places[-1, -1]) + 1
    signal = jnp.zeros((*frames.shape[:-2], total), frames.dtype).at[..., places].add(frames * weights)
    envelope = jnp.zeros(total, frames.dtype).at[places].add(weights**2)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - start
    covered = slice(start, min(end, total))
    y = signal[..., covered] / envelope[covered]
    return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, end - covered.stop)])
