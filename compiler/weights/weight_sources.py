"""Weights from wherever people have them: files, folders, the Hugging Face hub, and mappings of arrays, tensors or lists.

In: paths, or a mapping. Out: `StoredTensor`s by name, or NumPy arrays. Always: nothing in a file is executed, and what cannot be read is a
`WeightsError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..types.numpy_types import Array
from .hub import is_of_hub, of_hub
from .shards import open_files, open_path
from .tensor_files import Tensors, read_array, state_dict


def open_weights(paths: Sequence[str]) -> Tensors:
    """The tensors in files, indexes of shards, folders, or repositories `hf:org/name`, none of them read."""
    places = [place for path in paths for place in (of_hub(path) if is_of_hub(path) else [Path(path)])]
    if len(places) == 1:
        return open_path(places[0])
    return open_files(places, ", ".join(f"`{path}`" for path in paths))


def load(path: str | Path) -> dict[str, Array]:
    """The arrays in one of these."""
    return {name: tensor.read() for name, tensor in open_weights([str(path)]).items()}


def as_arrays(values: Mapping[str, object], source: str = "a mapping") -> dict[str, Array]:
    """The same with NumPy arrays for PyTorch's tensors and for lists of numbers. Of a checkpoint that contains a state dict, that."""
    found = state_dict(values, source)
    return {name: read_array(name, value, source) for name, value in found.items()}
