"""Read which tokens begin, end and pad a text.

In: the paths of weights. Out: the tokens by the names of transformers. Always: a file that is missing or damaged says nothing.

    >>> list_end_tokens({"eos_token_id": [2, 3]}), list_end_tokens({})
    ([2, 3], [])
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

CONFIGS = ("config.json", "generation_config.json")
"""The files that name the tokens. As in transformers, the second overrides the first."""
_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")
_LARGEST_CONFIG = 1 << 20
"""In bytes."""
Tokens = int | list[int]


def read_special_tokens(paths: Iterable[str]) -> dict[str, Tokens]:
    """Read the tokens that begin, end and pad a text from the configurations next to weights, as transformers writes them."""
    tokens: dict[str, Tokens] = {}
    for path in paths:
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        for name in CONFIGS:
            content = _read_json_object(os.path.join(folder, name))
            tokens |= {key: content[key] for key in _SPECIAL if _are_tokens(content.get(key))}
    return tokens


def _read_json_object(path: str) -> dict[str, Any]:
    """Read a small JSON file; return nothing if there is none, or if it is not an object."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _LARGEST_CONFIG:
            return {}
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    # JSON that is nested too deeply ends in a RecursionError
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _are_tokens(value: object) -> bool:
    each = value if isinstance(value, list) and value else [value]
    # not `isinstance`, because `true` of JSON is an int in Python
    return all(type(token) is int and 0 <= token < 2**31 for token in each)


def list_end_tokens(special: dict[str, Tokens]) -> list[int]:
    """Return the tokens that end a text, of which there may be several."""
    tokens = special.get("eos_token_id", [])
    return tokens if isinstance(tokens, list) else [tokens]
