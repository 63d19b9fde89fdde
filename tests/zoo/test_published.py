"""Parameters and multiply-adds against those that torchvision publishes."""

from __future__ import annotations

from inspect import signature

import pytest
import torch
from zoo.catalogue import Entry, compiled, entries, files, sizes
from zoo.published import as_published, published

from netc.compiler.dims import evaluate

pytestmark = pytest.mark.long

torchvision = pytest.importorskip("torchvision", reason="the published numbers are torchvision's")

MODELS = [entry for spec in files() for entry in entries(spec) if published(entry)]
ROUNDING = 0.0005


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.model)
def test_as_published(entry: Entry) -> None:
    theirs = published(entry)
    assert theirs
    model = compiled(entry, as_published(entry))
    totals = model.summary().totals
    left_out = theirs.params - totals.parameters
    assert left_out == 0 or left_out == _left_out(entry, set(model.parameters))
    found = evaluate(totals.multiply_adds, sizes(model, theirs.image)) / 1e9
    assert found == pytest.approx(theirs.multiply_adds, rel=0.001, abs=ROUNDING)


def _left_out(entry: Entry, names: set[str]) -> int:
    """How many of the reference's parameters are left out, as the auxiliary head of Inception, which the published number counts."""
    builder = torchvision.models.get_model_builder(entry.model)
    without = {"weights_backbone": None} if "weights_backbone" in signature(builder).parameters else {}
    with torch.device("meta"):
        reference = builder(weights=None, **without)
    return sum(parameter.numel() for name, parameter in reference.named_parameters() if name not in names)
