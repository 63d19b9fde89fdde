"""docs/formats.md has what was measured. `make formats` measures; `pytest --update` writes the page."""

from __future__ import annotations

from page_sections import replace_section
from zoo.small import SMALL

from tests.formats.measure import PACKAGES, read_measured
from tests.formats.page import PAGE, SECTION, render_section

TOLERANCE = 1e-5


def test_page_is_fresh(update: bool) -> None:
    page = PAGE.read_text(encoding="utf-8")
    now = replace_section(page, SECTION, render_section())
    if update:
        PAGE.write_text(now, encoding="utf-8")
    else:
        assert page == now


def test_every_small_model_was_measured_in_each_format() -> None:
    assert {name: set(results) for name, results in read_measured()["models"].items()} == {name: set(PACKAGES) for name in SMALL}


def test_measured_models_agree() -> None:
    results = ((name, kind, result) for name, kinds in read_measured()["models"].items() for kind, result in kinds.items())
    assert [one for one in results if (one[2].get("difference") or 0) > TOLERANCE] == []
