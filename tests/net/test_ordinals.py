"""Stages without parameters lose their labels in the text of a graph. The numbers that they get are no labels of other stages."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.backends.net.spec_source import write_program

TEXTS = [
    "x = input 3; y = x -> relu as a -> sigmoid as b; y -> dense 3 as relu1 -> dense 3 as sigmoid1",
    "x = input 3; y = x -> tanh as a -> tanh as b -> tanh as c; y -> dense 3 as tanh2",
    "x = input 3; y = x -> relu as a -> relu as b -> relu as c -> relu as d; y -> dense 3 as relu1 -> dense 3 as relu3",
    "x = input 1; y = x -> repeat 3 as steps { tanh }; y -> repeat 2 { dense 1 as main }",
    "x = input 1; y = x -> repeat 3 as steps { tanh }; (y -> dense 1 -> dense 1) as repeat1",
    "block b { dense 4 -> relu -> dense 4 -> dense 4 -> dense 4 }; x = input 4; x -> b -> b",
    "block b(act) { dense 4 -> act -> dense 4 -> dense 4 -> relu }; x = input 4; x -> b relu -> b tanh",
]
SHARED = [
    "repeat 3 { dense 4 }",
    "repeat 3 { dense 4 relu }",
    "repeat 3 as b { dense 4 relu }",
    "repeat 2 { repeat 3 { dense 4 } }",
    "repeat i in [4, 5, 4] { dense i -> relu as r }",
    "(dense 4 as a -> relu -> dense 4 as b)",
    "(dense 4 -> relu -> dense 4 as b -> dense 4)",
    "(dense 4 as a -> dense 4 relu as b -> relu) as net.3.q",
    "(repeat 2 as q { dense 4 -> relu } -> dense 4)",
]
"""Stages that are declared as `shared`, whose members have keys of their own."""


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_the_graph_compiles_and_has_the_same_keys(text: str) -> None:
    model = netc.compile(text)
    again = netc.compile(write_program(model.program))
    assert list(again.parameters) == list(model.parameters)


@pytest.mark.parametrize("stage", SHARED)
def test_members_of_a_shared_stage_keep_their_keys(stage: str) -> None:
    for text in (
        f"shared s = {stage}; x = input 4; x -> s -> s",
        f"block b {{ shared s = {stage}; in -> s -> s }}; x = input 4; x -> b -> b",
    ):
        model = netc.compile(text)
        again = netc.compile(model.source("net"))
        assert list(again.parameters) == list(model.parameters)
