"""One-line models of spectrograms and of sound made from them, and those that are refused; how a PyTorch user calls them."""

import torch

_WINDOW = "w = param [6] init=ones as w"

CASES: list[str] = [
    "x = input [20]; x -> stft 8",
    "x = input [20] float64; x -> stft 7 3",
    "x = input [20] batch=false; x -> stft 8 2",
    "x = input [40]; x -> stft 25 10 win_length=20",
    *[f"x = input [20]; x -> stft 8 pad_mode={mode}" for mode in ("constant", "replicate", "circular")],
    *[f"x = input [T] where T >= 8; x -> stft 8 3 {option}" for option in ("", "normalized=true", "onesided=false")],
    "x = input [20]; x -> stft 9 center=false",
    f"x = input [20]; {_WINDOW}; (x, w) -> stft 6",
    "x = input [20]; w = input [6] batch=false; (x, w) -> stft 9 4 win_length=6",
    "x = input [T] where T >= 8; w = input [7] batch=false; (x, w) -> stft 8 2 win_length=7 center=false",
    "x = input [20]; x -> stft 8 -> istft 8",
    "x = input [20] batch=false; x -> stft 8 2 -> istft 8 2",
    "x = input [21]; x -> stft 7 3 -> istft 7 3 length=21",
    f"x = input [20]; {_WINDOW}; ((x, w) -> stft 6 2, w) -> istft 6 2 length=20",
    "x = input [5, 7, 2]; x -> istft 8",
    *[f"x = input [5, 7, 2]; x -> istft 8 3 length={length}" for length in (4, 18, 40)],
    "x = input [5, T, 2]; x -> istft 9 3 normalized=true",
    "x = input [9, T, 2] where T >= 2; x -> istft 9 onesided=false",
    "x = input [5, 7, 2]; x -> istft 8 center=false",
    "x = input [5, 7, 2]; x -> istft 8 2 center=false length=12",
    "x = input [5, 7, 2]; w = input [6] batch=false; (x, w * w + 1) -> istft 9 2 win_length=6",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [20] int64; x -> stft 8", "needs-float"),
    ("x = input [20] float16; x -> stft 8", "needs-float"),
    ("x = input [20, 3]; x -> stft 8", "wrong-rank"),
    ("x = input [20]; x -> stft 3", "bad-argument"),
    ("x = input [20]; x -> stft 8 win_length=9", "bad-argument"),
    ("x = input [4]; x -> stft 8", "pad-too-large"),
    ("x = input [7]; x -> stft 8 center=false", "kernel-too-large"),
    ("x = input [T]; x -> stft 8", "unprovable"),
    ("x = input [20]; w = input [5] batch=false; (x, w) -> stft 8", "wrong-size"),
    ("x = input [20]; w = input [T] batch=false; (x, w) -> stft 8", "unprovable"),
    ("x = input [20]; w = input [8]; (x, w) -> stft 8", "wrong-rank"),
    ("x = input [20]; w = input [8] float64 batch=false; (x, w) -> stft 8", "dtype-mismatch"),
    ("x = input [20]; x -> stft 8 0", "wrong-argument"),
    ("x = input [20]; x -> stft 8 pad_mode=edge", "wrong-argument"),
    ("x = input [6, 7, 2]; x -> istft 8", "wrong-size"),
    ("x = input [T, 7, 2]; x -> istft 8", "unprovable"),
    ("x = input [5, 7, 3]; x -> istft 8", "wrong-size"),
    ("x = input [5, 7, 2]; x -> istft 8 9", "bad-argument"),
    ("x = input [5, 1, 2]; x -> istft 8", "empty-result"),
    ("x = input [5, 7]; x -> istft 8", "wrong-size"),
]


def _stft(args, x, window=None):  # type: ignore[no-untyped-def]
    found = torch.stft(
        x,
        args.n_fft,
        args.hop_length,
        args.win_length,
        window,
        args.center,
        args.pad_mode,
        args.normalized,
        args.onesided,
        return_complex=True,
    )
    return torch.stack([found.real, found.imag], -1)


def _istft(args, x, window=None):  # type: ignore[no-untyped-def]
    real, imaginary = x.movedim(-1, 0)
    options = (args.hop_length, args.win_length, window, args.center, args.normalized, args.onesided, args.length)
    return torch.istft(torch.complex(real, imaginary), args.n_fft, *options)


REFERENCES = {"istft": _istft, "stft": _stft}
