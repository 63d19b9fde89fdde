"""Stages without parameters lose their labels in the text of a graph. The numbers that they get are no labels of other stages."""

from __future__ import annotations

import pytest

import netc

TEXTS = [
    "x = input 3; y = x -> relu as a -> sigmoid as b; y -> dense 3 as relu1 -> dense 3 as sigmoid1",
    "x = input 3; y = x -> tanh as a -> tanh as b -> tanh as c; y -> dense 3 as tanh2",
    "x = input 1; y = x -> repeat 3 as steps { tanh }; y -> repeat 2 { dense 1 as main }",
    "x = input 1; y = x -> repeat 3 as steps { tanh }; (y -> dense 1 -> dense 1) as repeat1",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_the_graph_compiles_and_has_the_same_keys(text: str) -> None:
    model = netc.compile(text)
    again = netc.compile(model.source("net"))
    assert list(again.parameters) == list(model.parameters)
