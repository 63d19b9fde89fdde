"""docs/zoo.md is what the specs say now. `make zoo` writes it anew, `pytest tests/zoo/test_page.py --update` what needs no comparison."""

from __future__ import annotations

import pytest
from zoo import page, record
from zoo.catalogue import entries, expects_params, files

pytest.importorskip("torchvision", reason="the published numbers are torchvision's")


@pytest.fixture
def text(update: bool) -> str:
    if update:
        pytest.skip("written at the end of the run")
    return page.PAGE.read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("spec", files())
def test_rows_are_fresh(spec: str, text: str) -> None:
    assert "\n".join(page.rows(spec)) in text


def test_differences_are_fresh(text: str) -> None:
    rows = page.written_cells()
    for entry in (entry for spec in files() for entry in entries(spec)):
        written = rows[entry.model, entry.spec]
        assert page.measured_cells(entry).items() <= written.items(), entry.key


def test_words_are_fresh(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "rows", lambda spec: ())
    without = [line for line in text.splitlines() if not line.startswith("| [")]
    assert without == page.render().splitlines()


def test_all_have_been_compared(update: bool) -> None:
    assert update or page.uncompared() == [], "`make zoo` has not met these models"


def test_no_model_is_known_that_is_not_there(update: bool) -> None:
    assert update or set(record.measured()) <= {entry.key for spec in files() for entry in entries(spec)}


@pytest.mark.long
@pytest.mark.parametrize("spec", files())
def test_models_say_how_many_parameters_they_have(spec: str) -> None:
    assert [entry.model for entry in entries(spec) if not expects_params(entry)] == []
