"""One-line models that transform to frequencies and back, and those that are refused; how a PyTorch user calls them."""

from functools import partial

import torch

_NORMS = ("backward", "ortho", "forward")

CASES: list[str] = [
    *[f"x = input [{size}]; x -> rfft norm={norm}" for size in (1, 6, 7, 16) for norm in _NORMS],
    *[f"x = input [T] {d}; x -> rfft" for d in ("float64", "int64", "uint8", "bool")],
    "x = input [5, 3]; x -> rfft axis=1",
    "x = input [T, 3]; x -> rfft axis=-2 norm=ortho",
    *[f"x = input [5, 3]; x -> rfft {n} axis=1" for n in (1, 3, 5, 8, 11)],
    "x = input [T]; x -> rfft (2 * T)",
    "x = input [400]; x -> rfft -> norm axis=-1",
    *[f"x = input [{size}, 2]; x -> irfft norm={norm}" for size in (2, 4, 9) for norm in _NORMS],
    *[f"x = input [4, 3, 2]; x -> irfft {n} axis=1" for n in (1, 2, 5, 6, 7, 9)],
    "x = input [T, 2] float64 where T >= 2; x -> irfft",
    "x = input [T, 2]; x -> irfft 7",
    "x = input [T]; x -> rfft -> irfft T",
    *[f"x = input [{size}, 2]; x -> {name} norm={norm}" for name in ("fft", "ifft") for size in (1, 6, 7) for norm in _NORMS],
    *[f"x = input [T, 3, 2] {d}; x -> {name} axis=1" for name in ("fft", "ifft") for d in ("float32", "float64")],
    *[f"x = input [4, 2]; x -> {name} {n}" for name in ("fft", "ifft") for n in (3, 6)],
    "x = input [3, 4, 2]; x -> fft axis=1 -> ifft axis=-2",
    "x = input [4, 2] batch=false; x -> transpose 0 1 -> transpose 0 1 -> fft axis=0",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [4] float16; x -> rfft", "needs-float"),
    ("x = input [4]; x -> rfft 0", "wrong-argument"),
    ("x = input [4]; x -> rfft axis=2", "bad-axis"),
    ("x = input [] batch=false; x -> rfft", "wrong-rank"),
    ("x = input [4]; x -> rfft norm=unitary", "wrong-argument"),
    ("x = input [4, 3]; x -> irfft", "wrong-size"),
    ("x = input [4, T]; x -> fft", "unprovable"),
    ("x = input [1, 2]; x -> irfft", "empty-result"),
    ("x = input [4, 2] int64; x -> fft", "needs-float"),
    ("x = input [4, 2]; x -> ifft axis=-1", "bad-argument"),
    ("x = input [2] batch=false; x -> ifft", "wrong-rank"),
]


def _of_complex(name, args, x):  # type: ignore[no-untyped-def]
    """Along the same axis, counted without the one of both parts."""
    real, imaginary = x.movedim(-1, 0)
    axis = args.axis + x.ndim if -x.ndim <= args.axis < 0 else args.axis
    found = getattr(torch.fft, name)(torch.complex(real, imaginary), args.n, axis, args.norm)
    return torch.stack([found.real, found.imag], -1) if found.is_complex() else found


def _rfft(args, x):  # type: ignore[no-untyped-def]
    found = torch.fft.rfft(x, args.n, args.axis, args.norm)
    return torch.stack([found.real, found.imag], -1)


REFERENCES = {"rfft": _rfft, **{name: partial(_of_complex, name) for name in ("fft", "ifft", "irfft")}}
