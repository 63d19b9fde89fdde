"""Every deliberate refusal is needed: some generated use is refused for it alone, which PyTorch takes."""

from __future__ import annotations

import pytest
import torch
from case_ids import case_id
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from netc.compiler.ops import Operator
from tests.differential.comparison import judged
from tests.differential.known_differences import NO_ELEMENTS, TABLE, Deliberate, covers
from tests.differential.perturbations import perturbed
from tests.differential.strategies import uses
from tests.differential.use import Use

pytestmark = pytest.mark.filterwarnings("ignore")
SEARCH = settings(max_examples=400, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None, derandomize=True)
HERE = [entry for entry in TABLE if torch.__version__ >= (entry.since or "0")]
"""An older version of PyTorch refuses by itself what only newer ones accept."""
ENTRIES = [
    pytest.param(entry, name, id=case_id(f"{name} {entry.code}: {entry.why}")) for entry in HERE for name in entry.operators or ("",)
]
ANY = ("add", "avg_pool")
"""Operators of which one has uses that are refused for what may be wrong with any."""


@pytest.mark.long
@pytest.mark.parametrize(("entry", "name"), ENTRIES)
def test_needed(entry: Deliberate, name: str) -> None:
    names = (name,) if name else ANY
    assert all(name in Operator.registry for name in names)
    assert any(_is_needed(entry, name) for name in names), f"nothing generated needs it: {entry.why}"


def _is_needed(entry: Deliberate, name: str) -> bool:
    def needs(use: Use) -> bool:
        """Or one of those near to it does."""
        near = [u for u in (use, *perturbed(use)) if covers(entry, u, entry.code)]
        return any(judged(u).known == entry.why for u in near)

    try:
        find(uses(name), needs, settings=SEARCH)
    except NoSuchExample:
        return False
    return True


@pytest.mark.parametrize("name", ["adaptive_avg_pool", "slice"])
def test_no_elements(name: str) -> None:
    find(uses(name), lambda use: any(judged(u).known == NO_ELEMENTS for u in perturbed(use)), settings=SEARCH)
