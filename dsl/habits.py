"""Words that people bring with them from Python, and what is written here instead."""

from __future__ import annotations

HABITS = {
    "class": "a stage of one's own is a block: `block name(width) { ... }`",
    "def": "a stage of one's own is a block, `block name(width) { ... }`; a function of numbers is `fn name(n) = ...`",
    "elif": "write `else if`",
    "for": "write `repeat i in 0..3 { ... }`, or `each` to give the same input to several",
    "from": 'what another file defines is brought in by `use "file.net": name`',
    "import": 'what another file defines is brought in by `use "file.net": name`',
    "lambda": "a function of numbers is `fn name(n) = ...`",
    "return": "what the last pipeline gives comes out, or what `out` says: `out x`",
    "while": "how often is known beforehand: `repeat 3 { ... }`",
}
