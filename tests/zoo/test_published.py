"""Parameters and multiply-adds against those that torchvision publishes."""

from __future__ import annotations

import pytest
from zoo.catalogue import Entry, compiled, entries, files, sizes
from zoo.published import as_published, published

from netc.compiler.dims import evaluate_dim

pytest.importorskip("torchvision", reason="the published numbers are torchvision's")

MODELS = [entry for spec in files() for entry in entries(spec) if published(entry)]
ROUNDING = 0.0005


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.model)
def test_as_published(entry: Entry) -> None:
    theirs = published(entry)
    assert theirs
    model = compiled(entry, as_published(entry))
    totals = model.summary().totals
    assert totals.parameters == theirs.params
    found = evaluate_dim(totals.multiply_adds, sizes(model, theirs.image)) / 1e9
    assert found == pytest.approx(theirs.multiply_adds, rel=0.001, abs=ROUNDING)
