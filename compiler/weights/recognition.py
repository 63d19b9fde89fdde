"""Recognizes files that are no checkpoints, for the error message.

In: the path of a file that could not be read as weights. Out: a clause that says what the file is and a help, or None. Always: only the
first megabyte is read, a pickle is scanned but never loaded, and no content raises an exception.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.safetensors")
    ...     _ = path.write_text("version https://git-lfs.github.com/spec/v1")
    ...     recognize_file(path)
    ('it is a pointer of Git LFS, not the file itself', 'fetch the file: `git lfs pull`')
"""

from __future__ import annotations

from pathlib import Path
from pickletools import genops
from zipfile import ZipFile

Known = tuple[str, str]
"""Why a file cannot be weights, and the help."""

_READ = 1 << 20
"""Bytes at the beginning that are looked at."""
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickle that begins PyTorch's files before version 1.6."""
_SAVE = "save the model's `state_dict()` by `torch.save`, or write `.safetensors`"
_CALLS = ("GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "BUILD", "EXT1", "EXT2", "EXT4")
"""Operations of a pickle that find or call something."""

_HEADS: tuple[tuple[bytes, Known], ...] = (
    (b"version https://git-lfs.github.com/", ("it is a pointer of Git LFS, not the file itself", "fetch the file: `git lfs pull`")),
    (b"<", ("it is a page of HTML or XML: probably what a server says instead of the file", "download the file again")),
    (b"\x1f\x8b", ("it is compressed with gzip", "unpack it")),
    (b"\x89HDF\r\n\x1a\n", ("it is a file of HDF5, such as Keras writes", "convert it to `.safetensors`")),
    (b"\x93NUMPY", ("it is one array of NumPy's, without a name", "write `.npz`: `numpy.savez(path, **arrays)`")),
)


def recognize_file(path: Path) -> Known | None:
    """Recognize a file by its content."""
    try:
        with path.open("rb") as file:
            head = file.read(_READ)
    except OSError:
        return None
    if not head:
        return "it is empty", ""
    known = next((known for begin, known in _HEADS if head.lstrip()[: len(begin)] == begin), None)
    return known or _recognize_archive(path, head) or _recognize_safetensors(path, head) or _recognize_pickle(head)


def _recognize_archive(path: Path, head: bytes) -> Known | None:
    if not head.startswith(b"PK"):
        return None
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # whatever zipfile raises for a damaged archive
        return None
    if any(name.endswith("/constants.pkl") for name in names):
        return "it is a model in TorchScript, which has code in it", "load it with `torch.jit.load` and save its `state_dict()`"
    arrays = bool(names) and all(name.endswith(".npy") for name in names)
    return ("it is an archive of NumPy's", "name it `.npz`") if arrays and path.suffix.lower() != ".npz" else None


def _recognize_safetensors(path: Path, head: bytes) -> Known | None:
    # The size of the header comes first: a file that is shorter than its header is something else.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size and path.suffix.lower() != ".safetensors":
        return "it has the content of a `.safetensors` file", "name it so"
    return None


def _recognize_pickle(head: bytes) -> Known | None:
    """Recognize a pickle of Python objects. A long one is recognized by the part that was read."""
    if head.startswith(_LEGACY):
        # PyTorch loads its old format itself, so the failure has another reason.
        return None
    calls = False
    try:
        for operation, _, _ in genops(head):
            calls = calls or operation.name in _CALLS
    except Exception:  # whatever `genops` raises for bytes that are no pickle
        if len(head) < _READ or head[:1] != b"\x80":
            return None
    if calls:
        return "it is a pickle of Python objects, not a checkpoint of PyTorch, and reading it could run code", _SAVE
    return "it is a pickle of plain Python values, not a checkpoint of PyTorch", _SAVE
