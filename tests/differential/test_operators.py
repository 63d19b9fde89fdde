"""Every operator's own examples, and the cases of its family: the module, the source and ONNX Runtime compute what PyTorch does; what is
refused is refused."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

import pytest
from case_ids import case_id

import netc
from netc.compiler.ops import Operator
from tests.case_families import FAMILIES
from tests.definitions.compared import TEXTS, compare_definition
from tests.differential import hard_numbers
from tests.differential.values import TORCH_ALONE, torch_alone
from tests.parity import Targets, agree
from tests.torch.assumed import defaults_said

EXAMPLES = [(f"example of {name}", text) for name, cls in sorted(Operator.registry.items()) for text in cls.examples]
CASES = [(family, text) for family, module in FAMILIES.items() for text in module.CASES]
PARAMETERS = [
    pytest.param(text, id=f"{where}: {case_id(text)}", marks=pytest.mark.long if is_case and crc32(text.encode()) % 3 else ())
    for is_case, cases in enumerate((EXAMPLES, CASES))
    for where, text in cases
]
"""Of the cases, other than of the examples, a third is for `make test`, drawn by a hash of their texts."""
REFUSED = [(family, text, code) for family, module in FAMILIES.items() for text, code in module.REFUSED]


@pytest.mark.share(2)
@pytest.mark.thorough(2)
@pytest.mark.parametrize("text", PARAMETERS)
def test_agrees(text: str) -> None:
    """With numbers of mean 0 and deviation 1 and with some of hard_numbers.py; definitions compute the same. The source says nothing that
    PyTorch assumes."""
    model = netc.compile(text)
    targets = agree(model, export=not torch_alone(model))
    assert defaults_said(targets.text) == []
    if text in TEXTS:
        compare_definition(model, targets.module, text)
    hard_numbers.check(targets, hard_numbers.some_kinds(text))


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("text", [pytest.param(text, id=f"{where}: {case_id(text)}") for where, text in (*EXAMPLES, *CASES)])
def test_agrees_with_hard_numbers(text: str) -> None:
    model = netc.compile(text)
    hard_numbers.check(Targets(model, export=not torch_alone(model)))


@pytest.mark.parametrize("name", sorted(TORCH_ALONE))
def test_onnx_says_what_it_lacks(name: str) -> None:
    model = netc.compile(Operator.registry[name].examples[0])
    with pytest.raises(netc.CompileError) as caught:
        model.onnx()
    assert [d.code for d in caught.value.diagnostics] == ["onnx-unsupported"]


@pytest.mark.share(4)
@pytest.mark.parametrize(
    ("text", "code"), [pytest.param(text, code, id=f"{family} refused: {case_id(text)}") for family, text, code in REFUSED]
)
def test_refused(text: str, code: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    assert [d.code for d in caught.value.diagnostics if d.severity == "error"] == [code]


LONG = "x = input 3; " + "x -> sin; " * 20 + "x -> softshrink"


@pytest.mark.parametrize("text", [pytest.param(LONG, id=case_id(LONG))])
def test_a_long_case_is_selected_by_its_last_operator(text: str, request: pytest.FixtureRequest) -> None:
    """`-k softshrink` means all of its cases, whose ids may be cut off before its name."""
    assert "softshrink" not in request.node.name
    assert text in request.node.listextrakeywords()


def test_every_operator_has_an_example() -> None:
    assert [name for name, cls in Operator.registry.items() if not cls.examples] == []


def test_no_case_is_there_twice() -> None:
    texts = Counter([text for _, text in CASES] + [text for _, text, _ in REFUSED])
    assert [text for text, count in texts.items() if count > 1] == []


def test_every_family_has_cases() -> None:
    families = {cls.__module__.rpartition(".")[2] for cls in Operator.registry.values()}
    assert families - FAMILIES.keys() == set()
