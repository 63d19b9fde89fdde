"""Opens checkpoints of several files: an index with its shards, a folder, or a list of files.

In: paths. Out: the `StoredTensor`s of all files by name. Always: each name is in one file; a damaged or incomplete set raises a
`WeightsError` that names the file; an index cannot name files outside its own folder.

    >>> import json, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = Path(folder, "model.safetensors.index.json")
    ...     _ = index.write_text(json.dumps({"weight_map": {"a": "part1.safetensors", "b": "part2.safetensors"}}))
    ...     shards_of(index, "model")
    ['part1.safetensors', 'part2.safetensors']
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors.weight_errors import WeightsError, WeightsUnreadable
from .tensor_files import OPENERS, Tensors, open_file, with_weights_errors

INDEX = ".index.json"
"""The ending of an index as transformers and diffusers write it: `model.safetensors.index.json`."""
_FAMILIES = ("*.safetensors", "*pytorch_model*.bin")
"""The patterns of weight files in a folder. The first that matches counts. The state of an optimizer has other names."""
_USUAL_FILES = ("model.safetensors", "pytorch_model.bin")
"""The files of a model that transformers saves in one piece."""
_NUMBERED = re.compile(r"(.+)-(\d+)-of-(\d+)(\.\w+)")
_LARGEST_INDEX = 256 << 20
"""In bytes."""


def open_path(path: Path) -> Tensors:
    """Open the tensors of a file of weights, an index, or a folder."""
    source = f"`{path}`"
    if os.path.isdir(path):
        return open_files(_files_of(path, source), source)
    if path.name.lower().endswith(INDEX):
        return _open_index(path, source)
    return open_file(path, source)


def open_files(paths: Sequence[Path], source: str) -> Tensors:
    """Open the tensors of several files, which must have no name in common."""
    tensors: Tensors = {}
    homes: dict[str, Path] = {}
    for path in paths:
        for name, tensor in open_path(path).items():
            if name in tensors:
                raise _index_error(source, f"`{name}` is in both `{homes[name].name}` and `{path.name}`")
            tensors[name], homes[name] = tensor, path
    return tensors


def _index_error(source: str, why: str, remedy: str = "") -> WeightsError:
    return WeightsError(WeightsUnreadable(source, why, remedy))


# --- folders ---------------------------------------------------------------------------------------------------------------


def _files_of(folder: Path, source: str) -> list[Path]:
    """List the weight files of a folder: an index, or all files of the first family that the folder has."""
    names = with_weights_errors(lambda: sorted(p.name for p in folder.iterdir() if p.is_file()), source)()
    for family in _FAMILIES:
        indexes = [name for name in names if PurePosixPath(name).match(family + INDEX)]
        # Which of several models is meant cannot be guessed.
        if len(indexes) > 1:
            raise _index_error(source, f"it has several indexes: {_format_names(indexes)}", "name one of them")
        files = [name for name in names if PurePosixPath(name).match(family)]
        if indexes:
            return [folder / indexes[0]]
        # transformers reads this file alone. Others next to it have the model in another form, such as `consolidated.safetensors`.
        usual = next((name for name in _USUAL_FILES if name in files), None)
        if usual is not None:
            return [folder / usual]
        if files:
            _check_numbers(files, source)
            return [folder / name for name in files]
    endings = ", ".join(f"`{ending}`" for ending in OPENERS)
    raise _index_error(
        source, "the folder has no weights: neither an index nor `.safetensors` nor `pytorch_model.bin`", f"name a file: {endings}"
    )


def _check_numbers(names: Iterable[str], source: str) -> None:
    """Check that none is missing among files whose names count them, such as `model-00001-of-00003.safetensors`."""
    for match in filter(None, map(_NUMBERED.fullmatch, names)):
        stem, digits, total, ending = match.groups()
        # A name like `x-1-of-999999999.bin` must not make a long loop.
        for number in range(1, min(int(total), 100_000) + 1):
            wanted = f"{stem}-{number:0{len(digits)}}-of-{total}{ending}"
            if wanted not in names:
                raise _index_error(source, f"`{wanted}` is missing")


def _format_names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# --- indexes ---------------------------------------------------------------------------------------------------------------


def _open_index(path: Path, source: str) -> Tensors:
    files = shards_of(path, source)
    lost = next((file for file in files if not os.path.isfile(path.parent / file)), None)
    if lost is not None:
        raise _index_error(source, f"it names `{lost}`, and there is no such file")
    tensors = open_files([path.parent / file for file in files], source)
    for name, file in _weight_map(path, source).items():
        if name not in tensors:
            raise _index_error(source, f"it says that `{name}` is in `{file}`, which does not have it")
    return tensors


def shards_of(path: Path, source: str) -> list[str]:
    """List the names of the files that an index leads to, relative to its folder."""
    files = list(dict.fromkeys(_weight_map(path, source).values()))
    for file in files:
        _check_inside(file, source)
    return files


def _weight_map(path: Path, source: str) -> dict[str, str]:
    """Read the names of tensors with the files that they are in."""
    if not os.path.isfile(path):
        raise _index_error(source, "there is no such file")
    if path.stat().st_size > _LARGEST_INDEX:
        raise _index_error(source, "it is too large for an index")

    def refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
        """Refuse a tensor that the index lists in two shards; JSON allows a key twice, and Python keeps the last."""
        entries: dict[str, object] = {}
        for name, value in pairs:
            if entries.setdefault(name, value) != value:
                raise _index_error(source, f"it says of `{name}` that it is in two shards, `{entries[name]}` and `{value}`")
        return entries

    content = with_weights_errors(lambda: json.loads(path.read_bytes(), object_pairs_hook=refuse_duplicates), source)()
    homes = content.get("weight_map") if isinstance(content, Mapping) else None
    if not isinstance(homes, Mapping) or not homes or not all(isinstance(file, str) and file for file in homes.values()):
        raise _index_error(source, "it is not an index of shards: it has no `weight_map` of names to files")
    return dict(homes)


def _check_inside(file: str, source: str) -> None:
    # The index may come from another system, so a path must be inside by the rules of both.
    for kind in (PurePosixPath, PureWindowsPath):
        parsed = kind(file)
        if parsed.anchor or ".." in parsed.parts or "\0" in file:
            raise _index_error(source, f"it leads out of its folder, to `{file}`")
    if file.lower().endswith(INDEX):
        raise _index_error(source, f"it leads to another index, `{file}`")
