"""In every published model, samples of a batch meet only where the model compares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from netc.analysis import Choice, analyze_models
from netc.cli.spec_sources import make_reader
from netc.compiler.proofs import Claim, derive_claim

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.net"))
MEETING = {"two_tower": "matmul"}
"""Models that compare samples, with the stage."""


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.relative_to(ROOT / "specs").with_suffix("").as_posix())
@pytest.mark.share(10)
@pytest.mark.thorough(3)
def test_samples_do_not_meet(path: Path) -> None:
    programs = [a.program for a in analyze_models(make_reader(str(path), None), Choice()) if a.program is not None]
    # The first and the last model of a family: those in between differ in sizes.
    for program in programs[:1] + programs[1:][-1:]:
        if "N" in program.symbols:
            causes = derive_claim(program, Claim("separates", "N")).causes.values()
            found = {cause.operator for cause in causes if cause is not None}
            assert found == {MEETING[program.main.name]} if program.main.name in MEETING else not found
