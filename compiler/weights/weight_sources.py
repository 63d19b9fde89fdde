"""Opens weights from files, folders, the Hugging Face hub, and mappings of arrays, tensors or lists.

In: paths, or a mapping. Out: `StoredTensor`s by name, or NumPy arrays. Always: nothing in a file is executed, and a file that cannot be
read raises `WeightsError`.

    >>> to_arrays({"state_dict": {"w": [1.0, 2.0]}})
    {'w': array([1., 2.])}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..types.numpy_types import Array
from .hub import download_weights, is_hub_address
from .shards import open_files, open_path
from .tensor_files import Tensors, find_state_dict, read_array


def open_weights(paths: Sequence[str]) -> Tensors:
    """Open the tensors in files, indexes of shards, folders, or repositories `hf:org/name`, without reading them."""
    files = [place for path in paths for place in (download_weights(path) if is_hub_address(path) else [Path(path)])]
    if len(files) == 1:
        return open_path(files[0])
    return open_files(files, ", ".join(f"`{path}`" for path in paths))


def load_arrays(path: str | Path) -> dict[str, Array]:
    """Read all arrays of a file, index, folder or repository."""
    return {name: tensor.read() for name, tensor in open_weights([str(path)]).items()}


def to_arrays(values: Mapping[str, object], source: str = "a mapping") -> dict[str, Array]:
    """Convert the tensors and lists of a state dict to NumPy arrays. A checkpoint may contain the state dict under a key."""
    state_dict = find_state_dict(values, source)
    return {name: read_array(name, value, source) for name, value in state_dict.items()}
