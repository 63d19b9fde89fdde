"""Import a model folder: by the published spec of its family, or else by transformers.

In: the path of a folder, and the name of the model. Out: an `ImportedFolder`. Raises `FolderRefused`, `WeightsError`, `ImportFailed` and
`NotProved`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from netc.compiler.weights.match_weights import open_weights

from .config_settings import NotInZoo
from .import_by_transformers import import_by_transformers
from .import_zoo_family import import_zoo_family
from .imported_folder import ImportedFolder
from .model_folder import read_model_folder


def import_folder(
    path: str,
    name: str,
    *,
    inputs: Sequence[str] = (),
    fixed: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    verify: bool = True,
) -> ImportedFolder:
    """Import a folder as the model `name`. With `inputs`, `fixed` or `sizes`, it is always the module of transformers."""
    folder = read_model_folder(path)
    tensors = open_weights([path])
    reason = None
    if not (inputs or fixed or sizes):
        try:
            return import_zoo_family(folder, tensors, name)
        except NotInZoo as error:
            reason = error
    return import_by_transformers(folder, tensors, name, reason, inputs=inputs, fixed=fixed, sizes=sizes, verify=verify)


def make_model_name(stem: str) -> str:
    """Make the name of a model from the name of a file or folder.

    >>> make_model_name("Llama-3.2-1B"), make_model_name("7b")
    ('llama_3_2_1b', 'model_7b')
    """
    name = re.sub(r"\W+", "_", stem.lower(), flags=re.ASCII).strip("_")
    return name if name.isidentifier() else f"model_{name}".rstrip("_")
