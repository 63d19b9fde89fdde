"""docs/runtimes.md is what the profiles and the measurements say. `make runtimes` measures; `pytest --update` writes the page."""

from __future__ import annotations

from zoo.small import SMALL

from netc.compiler.backends.onnx.runtime_profiles import PROFILES
from runtimes import page
from runtimes.measure_zoo import read_measured

TOLERANCE = 1e-5
DIFFERS = {("hifigan", "tvm")}
"""Named in the differences of the profile."""


def test_page_is_fresh(update: bool) -> None:
    if update:
        page.write()
    assert page.PAGE.read_text(encoding="utf-8") == page.render()


def test_measured_models_exist() -> None:
    models = read_measured()["models"]
    assert set(models) <= set(SMALL)
    assert {runtime for results in models.values() for runtime in results} <= set(PROFILES)


def test_measured_models_agree() -> None:
    found = read_measured()["models"]
    assert {
        (name, runtime) for name, results in found.items() for runtime, result in results.items() if result.get("difference", 0) > TOLERANCE
    } == DIFFERS
