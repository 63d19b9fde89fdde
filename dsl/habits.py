"""Words that people write out of habit from other languages, and what to use instead.

>>> HABITS["elif"], METHODS["view"]
('write `else if`', 'reshape')
"""

from __future__ import annotations

_USE = 'leave it out: all operators are known; what another file defines is imported with `use "file.net": name`'
_LET = "name a compile-time value with `let`: `let a = 3`"

HABITS = {
    "class": "define a stage with a block: `block name(width) { ... }`",
    "const": _LET,
    "def": "define a stage with `block name(width) { ... }`, a function of numbers with `fn name(n) = ...`",
    "elif": "write `else if`",
    "for": "write `repeat i in 0..3 { ... }`, or `each` to give the same input to several",
    "from": _USE,
    "import": _USE,
    "lambda": "define a function of numbers with `fn name(n) = ...`, one of tensors with `block name { ... }`",
    "print": "leave it out: `out x` makes a tensor a result, and `netc check --shapes` shows all shapes",
    "return": "the last pipeline is the result; write `out x` for another one",
    "val": _LET,
    "var": _LET,
    "while": "write `repeat 3 { ... }`: the number of iterations is known at compile time",
    "with": "leave it out: `netc run` computes no gradients, and devices are chosen where the model runs",
}

NUMBERS = "numbers are a tensor as a table: `numbers = table (i) [3] = [1, 2, 3][i]`"
"""For a list in arithmetic with tensors."""

METHODS = {"view": "reshape", "mm": "matmul", "swapaxes": "transpose", "bmm": "matmul", "clip": "clamp"}
"""Methods of PyTorch's tensors, and the stages that they are here."""

TAKE_LISTS = ("view", "reshape", "permute", "expand", "flip")
"""Methods that take several numbers where the stage takes a list."""

LIBRARIES = (
    "F", "K", "functional", "jax", "jnp", "keras", "layers", "math", "nn", "np", "numpy", "onnx", "tf", "timm", "torch", "torchvision",
)  # fmt: skip
"""The prefixes of operators in other libraries, before the dot."""
