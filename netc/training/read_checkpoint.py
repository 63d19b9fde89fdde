"""Read checkpoints in PyTorch's distributed format without running code.

PyTorch's own reader unpickles the metadata and everything that is not a tensor, which can run any code.

In: a folder. Out: tensors and numbers. Always: only the record classes of the format are made from the metadata, everything else is read
with `weights_only=True`, and no file outside of the folder is opened. Anything else is an `UnpicklingError`.
"""

from __future__ import annotations

import io
import os
import pickle
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import torch
from torch.distributed.checkpoint import metadata as records
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader, _StorageInfo
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import ReadItem
from torch.serialization import _get_layout

METADATA = ".metadata"
RECORDS = (
    "Metadata",
    "MetadataIndex",
    "StorageMeta",
    "TensorStorageMetadata",
    "BytesStorageMetadata",
    "ChunkStorageMetadata",
    "TensorProperties",
    "_MEM_FORMAT_ENCODING",
)
"""The record classes of metadata, by their names in the module of PyTorch that declares them."""


def _read_enum_member(kind: Any, name: Any) -> Enum:
    """Return a member of an enumeration, in place of `getattr`."""
    # Python 3.11.0 to 3.11.3 pickle it as `getattr(kind, name)`, and the real `getattr` would reach any attribute of any class.
    if not isinstance(kind, type) or not issubclass(kind, Enum) or name not in kind.__members__:
        raise pickle.UnpicklingError("an attribute is no part of a checkpoint's metadata")
    return kind[name]


KNOWN_CLASSES: dict[tuple[str, str], Any] = {
    **{(records.__name__, name): getattr(records, name) for name in RECORDS},
    (_StorageInfo.__module__, _StorageInfo.__name__): _StorageInfo,
    ("builtins", "getattr"): _read_enum_member,
    ("torch.serialization", "_get_layout"): _get_layout,
    ("torch", "Size"): torch.Size,
    **{("torch", name): value for name, value in vars(torch).items() if isinstance(value, torch.dtype)},
    ("collections", "OrderedDict"): dict,
}
PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")


class _RecordUnpickler(pickle.Unpickler):
    """An unpickler that knows only the records."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "pathlib" and name in PATHS:
            return PurePath
        if (module, name) not in KNOWN_CLASSES:
            raise pickle.UnpicklingError(f"`{module}.{name}` is no part of a checkpoint's metadata")
        return KNOWN_CLASSES[module, name]


def unpickle_records(content: bytes) -> Any:
    """Unpickle content that consists only of records. Raises `UnpicklingError`."""
    return _RecordUnpickler(io.BytesIO(content)).load()


def read_metadata(folder: Path) -> Metadata:
    """Read the metadata of a checkpoint. Raises `UnpicklingError` and `OSError`."""
    metadata = unpickle_records((folder / METADATA).read_bytes())
    if not isinstance(metadata, Metadata) or not isinstance(metadata.storage_data, dict):
        raise pickle.UnpicklingError("these are no metadata")
    for storage in metadata.storage_data.values():
        plain = isinstance(storage, _StorageInfo) and isinstance(storage.relative_path, str) and not storage.transform_descriptors
        if not plain or os.path.basename(storage.relative_path) != storage.relative_path:
            raise pickle.UnpicklingError("the metadata lead out of the folder")
    return metadata


class SafeReader(FileSystemReader):
    """PyTorch's reader, with metadata that is read without running code."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        metadata = read_metadata(Path(self.path))
        metadata.storage_meta = getattr(metadata, "storage_meta", None) or records.StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class SafePlanner(DefaultLoadPlanner):
    """PyTorch's planner, which accepts only numbers, strings and lists instead of any object."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        content = torch.load(value, map_location="cpu", weights_only=True)
        buffer = io.BytesIO()
        torch.save(content, buffer)
        buffer.seek(0)
        super().load_bytes(read_item, buffer)
