"""A file's name says which file it is: docs/decisions/053-file-names.md."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bench", "compiler", "dsl", "netc", "playground")
FAMILIES = Path("compiler/ops")
MIRRORS = {
    FAMILIES,
    Path("compiler/backends/python/array_ops"),
    Path("compiler/backends/flax/ops"),
    Path("compiler/backends/mlx/ops"),
    Path("compiler/backends/onnx/ops"),
    Path("compiler/backends/torch/ops"),
    Path("compiler/errors"),
    Path("compiler/frontends/onnx/ops"),
    Path("compiler/frontends/torch/aten"),
    Path("compiler/proofs/rules"),
    Path("compiler/streaming/rules"),
}
"""Folders with one file a family of operators, named after the family."""


def modules() -> list[Path]:
    """Every module but `__init__` and `__main__`, from the root of the checkout; netc/compiler and netc/dsl are links."""
    files = [path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    linked = {Path("netc/compiler"), Path("netc/dsl")}
    return sorted(
        path for path in files if not path.stem.startswith("__") and not linked & {*path.parents} and "node_modules" not in path.parts
    )


def test_only_files_of_one_family_share_a_name():
    homes: dict[str, set[Path]] = defaultdict(set)
    for path in modules():
        homes[path.name].add(path.parent)
    shared = {name: folders for name, folders in homes.items() if len(folders) > 1}
    assert {name: folders for name, folders in shared.items() if not folders <= MIRRORS or FAMILIES not in folders} == {}


def test_the_mirrored_folders_exist():
    assert {path.parent for path in modules()} >= MIRRORS
