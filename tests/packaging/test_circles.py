"""No module imports itself by way of others: imports within functions and for type checkers count too.

import-linter keeps the layers; a circle within one layer, or one that a late import hides, is found here.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp

DEFENDED = ("netc.compiler.dims",)  # one numeric type in several files: see docs/decisions/052-layers.md
"""Packages whose modules may import each other in circles."""

Edges = dict[str, set[str]]


def edges() -> Edges:
    """What each module of netc imports, wherever in it the import is written."""
    graph = grimp.build_graph("netc", exclude_type_checking_imports=False, cache_dir=None)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def circle(found: Edges) -> list[str]:
    """The modules of a circle, from one to itself; empty if there is none."""
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def defended(found: Edges, packages: tuple[str, ...]) -> Edges:
    """The same without the imports inside of each of the packages."""

    def inside(module: str, package: str) -> bool:
        return module == package or module.startswith(f"{package}.")

    def kept(module: str, imported: str) -> bool:
        return not any(inside(module, p) and inside(imported, p) for p in packages)

    return {module: {i for i in imported if kept(module, i)} for module, imported in found.items()}


def test_no_circle() -> None:
    assert circle(defended(edges(), DEFENDED)) == []


def test_what_is_defended_is_needed() -> None:
    for package in DEFENDED:
        others = tuple(p for p in DEFENDED if p != package)
        assert circle(defended(edges(), others)), f"{package} has no circle any more: take it from the list"


def test_late_imports_and_those_for_type_checkers_count() -> None:
    found = edges()
    assert "netc.files.save_artifacts" in found["netc.model"]  # within a function
    assert "netc.compiler.ir.graph" in found["netc.model"]  # under TYPE_CHECKING
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) in (["a", "c", "b", "a"], ["b", "a", "c", "b"], ["c", "b", "a", "c"])
