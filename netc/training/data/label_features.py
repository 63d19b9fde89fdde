"""The class names in the features of a Hugging Face data set.

In: features by column, as `datasets` has them or writes them into the metadata of its files. Out: the names of the columns whose type is
`ClassLabel`, in the order of their numbers. Always: features of an unknown form have no names, because anybody may write a file.

>>> find_label_names({"kind": {"names": ["ash", "oak"], "_type": "ClassLabel"}, "width": {"dtype": "float32", "_type": "Value"}})
{'kind': ('ash', 'oak')}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_METADATA_KEY = b"huggingface"
_DEEPEST = 8
"""The number of lists in lists that are opened."""


def find_label_names(features: object) -> dict[str, tuple[str, ...]]:
    """Return the class names by column."""
    if not isinstance(features, Mapping):
        return {}
    names = {str(column): _find_names(feature) for column, feature in features.items()}
    return {column: found for column, found in names.items() if found}


def read_label_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """Return the class names by column, from the metadata of an Arrow schema."""
    try:
        content = json.loads((metadata or {}).get(_METADATA_KEY, b"{}"))
        return find_label_names(content["info"]["features"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return {}


def _find_names(feature: Any) -> tuple[str, ...]:
    # A column of lists has the feature of its elements.
    for _ in range(_DEEPEST):
        names = _get(feature, "names")
        if names is not None and _get_type(feature) == "ClassLabel":
            is_valid = isinstance(names, list) and all(isinstance(name, str) for name in names) and len({*names}) == len(names)
            return tuple(names) if is_valid else ()
        feature = _get(feature, "feature")
    return ()


def _get(feature: Any, name: str) -> Any:
    return feature.get(name) if isinstance(feature, Mapping) else getattr(feature, name, None)


def _get_type(feature: Any) -> str:
    return str(feature.get("_type")) if isinstance(feature, Mapping) else type(feature).__name__
