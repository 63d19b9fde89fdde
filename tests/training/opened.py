"""What the tests of data share: a section on data, opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.locate_data import DataRequest
from netc.training.open_data import OpenedData, open_data
from netc.training.recipe import read_recipe

MODEL = "x = input {x}\ny = x -> {model}\ntrain {{\n  target = input {target}\n  loss = {loss}\n  {settings}\n}}\n"


def spec(
    settings: str = "", *, x: str = "2", target: str = "[]", model: str = "cast float32 -> flatten -> dense 1 -> squeeze 1", loss: str = ""
) -> str:
    """A model with the input `x`, and a section with the input `target`."""
    model = "cast float32" if x.startswith("[]") else model
    loss = loss or "(target -> cast float32) * y -> mean"
    return MODEL.format(x=x, target=target, model=model, loss=loss, settings=settings)


def opened(text: str, data: Any = None, path: Path | None = None, **asked: Any) -> OpenedData:
    """The data of the section; what is wrong with the text itself is a failure of the test."""
    source = SourceFile("model.net", text)
    analysis = analyze_training(source, Choice(), None if path is None else str(path))
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    recipe, problems = read_recipe(analysis.training)
    assert not problems, [(d.code, d.message) for d in problems]
    return open_data(analysis.training, recipe, DataRequest(data=data, spec=None if path is None else str(path), **asked))


def arrays(text: str, data: Any = None, path: Path | None = None, **asked: Any) -> dict[str, Any]:
    """All samples, by input."""
    found = opened(text, data, path, **asked)
    assert found.data is not None, [(d.code, d.message) for d in found.diagnostics]
    columns, indices = found.data
    return columns.read_batch(indices)


def said(text: str, data: Any = None, path: Path | None = None, **asked: Any) -> list[tuple[str, str]]:
    """The codes and messages of what is wrong."""
    return [(d.code, d.message) for d in opened(text, data, path, **asked).diagnostics]


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
