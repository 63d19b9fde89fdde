"""One-line models that use the bits of integers, and those that are refused; how a PyTorch user calls them."""

from functools import partial

import torch

_LOGIC = ("bitwise_and", "bitwise_or", "bitwise_xor")
_SHIFTS = ("bitwise_left_shift", "bitwise_right_shift")
_INTEGERS = ("int64", "int32", "int16", "int8", "uint8")

CASES: list[str] = [
    *[f"a = input [9] {d}; b = input [9] {d}; (a * 77, b * 93) -> {name}" for name in _LOGIC for d in _INTEGERS],
    *[f"a = input [3] bool; b = input [3] bool; (a, b) -> {name}" for name in _LOGIC],
    *[f"a = input [T, 3] int8; b = input [T, 1] int64; (a * 77, b * 93) -> {name}" for name in _LOGIC],
    *[f"x = input [9] int64; x * 123456789 -> {name} 65535" for name in _LOGIC],
    *[f"x = input [9] int8; x * 100 -> {name} 300" for name in _LOGIC],
    *[f"x = input [9] bool; x -> {name} true" for name in _LOGIC],
    "x = input [9] bool; x -> bitwise_or 6",
    "x = input [9] int64; x -> bitwise_xor 5 reverse=true",
    "x = input [T] int64; x * 5 -> bitwise_and T",
    *[f"x = input [9] {d}; x * 77 -> bitwise_not" for d in (*_INTEGERS, "bool")],
    "x = input [9] bool; x -> bitwise_not",
    # shifts
    *[f"x = input [9] {d}; x * 77 - 30 -> {name} 2" for name in _SHIFTS for d in _INTEGERS],
    *[f"x = input [9] {d}; x * 77 - 30 -> {name} {n}" for name in _SHIFTS for d in ("int8", "uint8") for n in (6, 7, 8, 256)],
    *[f"x = input [9] {d}; x * 77 - 30 -> {name} other=-1" for name in _SHIFTS for d in ("int8", "uint8")],
    *[f"x = input [9] int64; x * 123456789123 - 999 -> {name} {n}" for name in _SHIFTS for n in (0, 1, 31, 62, 63, 64)],
    *[f"x = input [9] int32; x * 123456789 - 999 -> {name} {n}" for name in _SHIFTS for n in (30, 31, 32)],
    *[f"x = input [9] int64; x * 7 -> {name} 3 reverse=true" for name in _SHIFTS],
    *[f"a = input [T, 9] int64; b = input [T, 1] int64; (a * 77 - 30, b * 3 - 1) -> {name}" for name in _SHIFTS],
    "a = input [9] int8; b = input [9] int16; (a * 77, b * 3) -> bitwise_left_shift",
    "a = input [9] bool; b = input [9] int16; (a, b * 3) -> bitwise_left_shift",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [3]; x -> bitwise_and 1", "needs-integer"),
    ("a = input [3] int64; b = input [3]; (a, b) -> bitwise_or", "needs-integer"),
    ("x = input [3] int64; x -> bitwise_xor 1.5", "bad-argument"),
    ("x = input [3]; x -> bitwise_not", "needs-integer"),
    ("x = input [3] bool; x -> bitwise_left_shift true", "needs-integer"),
    ("x = input [3]; x -> bitwise_right_shift 1", "needs-integer"),
    ("a = input [3] int64; b = input [4] int64; (a, b) -> bitwise_left_shift", "shape-mismatch"),
    ("a = input [3] int64; a -> bitwise_and", "operand-count"),
]


def _of_two(name, args, *tensors):  # type: ignore[no-untyped-def]
    """A number comes last, unless `reverse` puts it first."""
    numbers = () if args.other is None else (args.other,)
    return getattr(torch, name)(*((*numbers, *tensors) if args.reverse else (*tensors, *numbers)))


REFERENCES = {
    "bitwise_not": lambda args, x: torch.bitwise_not(x),
    **{name: partial(_of_two, name) for name in (*_LOGIC, *_SHIFTS)},
}
