"""Makes the names of a model's inputs and outputs.

    >>> make_input_name("inputs-ids", set())
    'inputs_ids'

In: the arguments of `forward`, and the keys and positions in its result. Out: identifiers in lower case, all different.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from netc.dsl.grammar import load_tables


def make_input_name(name: str, used_names: set[str]) -> str:
    """Make a name that is not taken yet, and add it to the taken ones."""
    result = _to_identifier(name) or "input"
    while result in used_names:
        result += "_"
    used_names.add(result)
    return result


def make_output_names(paths: Sequence[Iterable[Any]], used_names: set[str]) -> list[str]:
    """Make the names of outputs from the keys and positions that lead to them. The names of inputs are taken."""
    parts = [[_key_text(key) for key in path] for path in paths]
    named = any(not part.isdigit() for path in parts for part in path)
    used = set(used_names)
    result: list[str] = []
    for number, path in enumerate(parts, 1):
        name = "_".join(path) if named else "output" if len(parts) == 1 else f"output{number}"
        result.append(make_input_name(name if not name[:1].isdigit() else f"output_{name}", used))
    return result


def _key_text(key: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _to_identifier(name: str) -> str:
    word = re.sub(r"\W", "_", name, flags=re.ASCII).lower().lstrip("_0123456789")
    # `input` is a keyword of the language, and a usual name of an argument.
    return f"{word}_" if word in load_tables().keywords else word
