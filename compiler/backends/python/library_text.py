"""Reads the definitions of a backend's library as text, which emitted files contain. Always: the library is not imported.

>>> read_shared_definitions("rotary", {"xp": "jnp", "Array": "jax.Array"})["apply_rotary"].splitlines()[0]
'def apply_rotary(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

_NAME = re.compile(r"(?:class|def) (\w+)")
_PLACE = re.compile(r"^# ([\w, ]+): each framework's own\.\Z", re.MULTILINE)


@cache
def read_definitions(library: Path) -> Mapping[str, str]:
    """The texts of the classes and functions of a file by name. Two empty lines separate them."""
    blocks = library.read_text(encoding="utf-8").rstrip().split("\n\n\n")
    return {match.group(1): block for block in blocks if (match := _NAME.match(block))}


_SHARED = Path(__file__).parent / "array_library"


Adapt = Callable[[str], str]
"""Turns a shared definition, in a framework's words, into the framework's own form."""


def merge_definitions(families: Iterable[str], words: Mapping[str, str], library: Path, adapt: Adapt = str) -> dict[str, str]:
    """The definitions of a framework with NumPy's names, in the order of the families: the shared ones in the framework's words, then the
    files `<framework>_<family>.py` of its own library. A definition of its own takes the place of a shared one with its name."""
    merged: dict[str, str] = {}
    framework = library.parent.name
    for family in families:
        merged |= {name: adapt(text) for name, text in read_shared_definitions(family, words).items()}
        own = library / f"{framework}_{family}.py"
        merged |= read_definitions(own) if own.exists() else {}
    return {name: text for name, text in merged.items() if text}


def read_shared_definitions(family: str, words: Mapping[str, str]) -> dict[str, str]:
    """The shared definitions of a family, with a framework's words, such as `jnp` for `xp`. A comment like
    `# conv: each framework's own.` keeps the places of definitions that no framework shares. Their texts are empty."""
    file = _SHARED / f"array_{family}.py"
    pattern = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})\b")
    texts: dict[str, str] = {}
    for block in file.read_text(encoding="utf-8").rstrip().split("\n\n\n") if file.exists() else ():
        if place := _PLACE.search(block):
            texts |= dict.fromkeys(place[1].split(", "), "")
        elif match := _NAME.match(block):
            texts[match.group(1)] = pattern.sub(lambda word: words[word[1]], block)
    return texts
