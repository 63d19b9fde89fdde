"""Models with masks: each claim is proved or refused with a counterexample, running agrees, and docs/proofs.md has the verdict.

`pytest tests/proofs/test_mask_models.py -m long --update` writes the table of docs/proofs.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from netc.analysis import Choice, analyze_models
from netc.cli.spec_sources import make_reader
from netc.compiler.proofs import Claim, derive_claim
from netc.compiler.types.tensor_types import BOOL
from netc.model import Model
from netc.proving.prove_positions import prove_positions
from tests.proofs.mask_models import IMPORTED, PUBLISHED, make_imported, make_published

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "proofs.md"
HEADER = "| model | verdict | assumed, in addition to finite values |\n|---|---|---|\n"
CONDITIONS = {
    "padding is at the end": "padding at the end",
    "the first position": "the first position is visible",
    "scores with": "scores are smaller than the number that hides others",
}
NETWORKS = [(spec, network) for spec, networks in PUBLISHED.items() for network in networks]


def describe_verdict(name: str, model: Model, claim: Claim) -> str:
    """Return the row of a model in the table."""
    proof = prove_positions(model, claim)
    if proof.diagnostics:
        assert all(any(note.startswith("a counterexample: ") for note in problem.notes) for problem in proof.diagnostics)
        operators = dict.fromkeys(problem.message.split("`")[1] for problem in proof.diagnostics)
        return f"| `{name}` | leaks at {' and '.join(f'`{operator}`' for operator in operators)} | |\n"
    assert proof.summary.endswith("; 20 random changes confirm it in PyTorch and ONNX Runtime")
    assumed = [text for start, text in CONDITIONS.items() if any(note.startswith(f"assumed: {start}") for note in proof.notes)]
    return f"| `{name}` | proved | {', '.join(assumed)} |\n".replace("|  |", "| |")


def compare_row(row: str, *, update: bool) -> None:
    """Compare a row with the one of its model in docs/proofs.md, or write it there."""
    text = PAGE.read_text(encoding="utf-8")
    before, table = text.split(HEADER)
    rows, rest = table.split("\n\n", 1)
    by_name = {line.split("|")[1]: line for line in rows.splitlines()}
    if update:
        by_name[row.split("|")[1]] = row.rstrip("\n")
        PAGE.write_text(f"{before}{HEADER}{chr(10).join(by_name.values())}\n\n{rest}", encoding="utf-8")
    assert by_name.get(row.split("|")[1]) == row.rstrip("\n")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("spec", "network"), NETWORKS)
def test_published_models(spec: str, network: str, update: bool) -> None:
    name = f"{spec}.net: {network.split()[0]}"
    compare_row(describe_verdict(name, *make_published(spec, network)), update=update)


@pytest.mark.thorough(3)
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", IMPORTED)
def test_imported_models(name: str, update: bool) -> None:
    compare_row(describe_verdict(name.rpartition(".")[2], *make_imported(name)), update=update)


@pytest.mark.long
def test_every_published_model_with_a_mask_is_proved_in_its_own_size() -> None:
    specs = set[str]()
    for path in sorted((ROOT / "specs").rglob("*.net")):
        if "bool" not in path.read_text(encoding="utf-8"):
            continue
        for program in (a.program for a in analyze_models(make_reader(str(path), None), Choice())):
            masks = () if program is None else [value.name for value in program.main.inputs if value.type.dtype == BOOL]
            for mask in masks:
                assert program is not None
                specs.add(path.stem)
                assert derive_claim(program, Claim("ignores", mask)).is_proved, program.main.name
    assert specs == set(PUBLISHED)
