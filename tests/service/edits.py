"""Random edits of a text, as a person at a keyboard makes them: typing, deleting, pasting, moving lines. Seeded."""

from __future__ import annotations

from random import Random

from netc.compiler.ops import Operator

PIECES = (
    *(
        "->",
        " -> ",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        "=",
        " = ",
        "\n",
        "\r\n",
        ";",
        ":",
        ".",
        "..",
        "...",
        '"',
        "#",
        "# a\n",
        "@",
        "*",
        "//",
    ),
    *(
        "block f(a, b=2) { in }\n",
        "let k = 4\n",
        "x = ",
        "input 3",
        "in",
        " as x",
        "as {i}",
        "if a { relu } else { tanh }",
        "repeat 3 { ",
        "use ",
    ),
    *(
        'use "std/mlp.net": mlp\n',
        "model m { input 3 -> dense 4 }\n",
        "fn g(n) = n + 1\n",
        "train { loss = x }\n",
        "scan (h = x) axis=1 { ",
        "where",
    ),
    *(
        "😀",
        "é",
        "\ufeff",
        "\x0c",
        "\u2028",
        "\t",
        "\r",
        "N",
        "H % 2 == 0",
        "_",
        "1e400",
        "0x0",
        "3x3",
        "-1",
        "true",
        "expect params == 3\n",
    ),
    *(
        "(x, y...) = ",
        "table (i, j) [3, 4] = i",
        "param [3] init=zeros as w",
        "shared s = dense 3\n",
        "[i for i in 3]",
        "default dense bias=false\n",
    ),
)


def edited(text: str, random: Random, other: str) -> str:
    """A text after one edit. `other` is a text that pieces are pasted from."""
    at = random.randint(0, len(text))
    kind = random.randrange(8)
    if kind == 0:
        return text[:at] + random.choice(PIECES) + text[at:]
    if kind == 1:
        return text[:at] + random.choice([*Operator.registry]) + " " + text[at:]
    if kind == 2:
        return text[:at] + text[at + random.choice((1, 1, 2, 8, 60)) :]
    if kind == 3:
        start = random.randint(0, len(other))
        return text[:at] + other[start : start + random.choice((3, 20, 200))] + text[at:]
    if kind == 4:
        lines = text.splitlines(keepends=True) or [""]
        line = lines.pop(random.randrange(len(lines)))
        lines.insert(random.randint(0, len(lines)), line)
        return "".join(lines)
    if kind == 5:
        return (
            text[:at]
            + chr(random.choice((random.randrange(32, 127), random.randrange(32, 127), random.randrange(0x80, 0xD800))))
            + text[at:]
        )
    if kind == 6:
        return text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]
    return text[:at]  # all that is not typed yet
