"""What comparing a spec with its reference found, for the page docs/zoo.md.

`note` keeps it; conftest.py carries it from the tests to the end of the run, which `keep`s it in measured.json.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import torch
from zoo import reference as source
from zoo.catalogue import Entry, compiled, entries, files
from zoo.published import as_published

import netc

FILE = Path(__file__).parent / "measured.json"
LIBRARIES = ("torch", "torchvision", "transformers")
_TOLD = {"zoo": "by hand:"}
NOTED: list[dict[str, Any]] = []
"""Of the test that is running."""


LeftOut = Callable[[str], bool]


def note(
    spec: str,
    model: netc.Model,
    reference: torch.nn.Module,
    left_out: LeftOut,
    difference: float | None = None,
    in_jax: float | None = None,
    in_mlx: float | None = None,
) -> None:
    """Of a published model. Without a difference, names and shapes have been compared only. `in_jax` and `in_mlx` are the differences of
    its Flax and MLX modules.

    `left_out` must say in its docstring why it leaves out what it does, if it does.
    """
    entry = Entry(spec, model.name)
    if entry not in entries(spec) or not any(_same(model, compiled(entry, params)) for params in ({}, as_published(entry))):
        return
    names = sorted(name for name in reference.state_dict() if left_out(name))
    why = inspect.getdoc(left_out) or ""
    if names and not why:
        raise AssertionError(f"{spec} leaves out {', '.join(names[:3])}: the docstring of what is given as `left_out` must say why")
    kind = type(reference)
    library = kind.__module__.partition(".")[0]
    NOTED.append(
        {
            "model": entry.key,
            "reference": f"{_TOLD.get(library, library)} {kind.__name__}",
            "lines": source.lines(reference, model.name),
            "difference": difference and _rounded(difference),
            "in_jax": in_jax and _rounded(in_jax),
            "in_mlx": in_mlx and _rounded(in_mlx),
            "left_out": _groups(names),
            "why": " ".join(why.split()) if names else "",
        }
    )


def _rounded(value: float) -> float:
    """Up to 1, 2 or 5 of a power of ten: the last digits are the processor's."""
    exact = Decimal(str(value))
    one = Decimal(1).scaleb(exact.adjusted())
    return float(next(step * one for step in (1, 2, 5, 10) if exact <= step * one))


def _same(model: netc.Model, other: netc.Model) -> bool:
    """Whether it is the other, and not a smaller configuration."""
    return {n: p.shape for n, p in model.parameters.items()} == {n: p.shape for n, p in other.parameters.items()}


def _groups(names: Iterable[str]) -> list[str]:
    """The names, or `part.*` for several that begin with the same part."""
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(name.partition(".")[0], []).append(name)
    return [same[0] if len(same) == 1 else f"{part}.*" for part, same in parts.items()]


def measured() -> dict[str, dict[str, Any]]:
    """What is known, by the key of the model."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["models"] if FILE.exists() else {}
    return found


def versions() -> dict[str, str]:
    """Those of the libraries when it was found."""
    found: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))["versions"]
    return found


def keep(found: Iterable[Mapping[str, Any]]) -> None:
    """Adds what a run found to the file, and forgets the models that are no more. Of several comparisons the worst counts."""
    run: dict[str, dict[str, Any]] = {}
    for one in found:
        fact = {name: value for name, value in one.items() if name != "model"}
        before = run.get(one["model"], fact)
        worst = {
            column: max((f[column] for f in (before, fact) if f[column] is not None), default=None)
            for column in ("difference", "in_jax", "in_mlx")
        }
        run[one["model"]] = fact | {"lines": max(before["lines"], fact["lines"])} | worst
    known = measured() | run
    kept = {entry.key: known[entry.key] for spec in files() for entry in entries(spec) if entry.key in known}
    libraries = {name: importlib.import_module(name).__version__.partition("+")[0] for name in LIBRARIES}
    FILE.write_text(json.dumps({"versions": libraries, "models": kept}, indent=1) + "\n", encoding="utf-8")
