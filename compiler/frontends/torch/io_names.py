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


def make_input_name(name: str, taken: set[str]) -> str:
    """Make a name that is not taken yet, and add it to the taken ones."""
    result = _to_identifier(name) or "input"
    while result in taken:
        result += "_"
    taken.add(result)
    return result


def make_output_names(paths: Sequence[Iterable[Any]], taken: set[str]) -> list[str]:
    """Make the names of outputs from the keys and positions that lead to them. The names of inputs are taken."""
    parts = [[_key_text(key) for key in path] for path in paths]
    named = any(not part.isdigit() for path in parts for part in path)
    used = set(taken)
    result: list[str] = []
    for at, path in enumerate(parts, 1):
        name = "_".join(path) if named else "output" if len(parts) == 1 else f"output{at}"
        result.append(make_input_name(name if not name[:1].isdigit() else f"output_{name}", used))
    return result


def _key_text(key: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _to_identifier(name: str) -> str:
    found = re.sub(r"\W", "_", name, flags=re.ASCII).lower().lstrip("_0123456789")
    return f"{found}_" if found in load_tables().keywords else found
