"""Python keywords that people write out of habit, and the construct of this language to use instead."""

from __future__ import annotations

HABITS = {
    "class": "define a stage with a block: `block name(width) { ... }`",
    "def": "define a stage with `block name(width) { ... }`, a function of numbers with `fn name(n) = ...`",
    "elif": "write `else if`",
    "for": "write `repeat i in 0..3 { ... }`, or `each` to give the same input to several",
    "from": 'import from another file with `use "file.net": name`',
    "import": 'import from another file with `use "file.net": name`',
    "lambda": "define a function of numbers with `fn name(n) = ...`",
    "return": "the last pipeline is the result; write `out x` for another one",
    "while": "write `repeat 3 { ... }`: the number of iterations is known at compile time",
}
