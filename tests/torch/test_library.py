"""What emitted files define for themselves: it fits there, only files that use it have it, and no other class has its name."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

import pytest
import torch

import netc
from netc.compiler.backends.python.printing.line_layout import WIDTH
from netc.compiler.backends.torch import library
from netc.compiler.backends.torch.torch_framework import DEFINITIONS

FILES = [import_module(f"{library.__name__}.{file.name}") for file in iter_modules(library.__path__)]
OWN = {name: value for file in FILES for name, value in vars(file).items() if getattr(value, "__module__", "") == file.__name__}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_fits_into_a_file(name: str) -> None:
    text = DEFINITIONS[name]
    assert max(map(len, text.splitlines())) <= WIDTH
    assert OWN[name].__doc__


def test_every_definition_is_found() -> None:
    assert set(DEFINITIONS) == set(OWN)


def test_only_a_file_that_uses_it_has_it() -> None:
    assert re.findall(r"^class (\w+)", netc.compile("input 3 -> dropout 0.5").source(), re.M) == ["Net"]
    assert re.findall(r"^class (\w+)", netc.compile("input 3 -> drop_path 0.5").source(), re.M) == ["DropPath", "Net"]


BLOCK = "block drop_path_(w) { in -> dense w -> sin -> drop_path 0.5 }; input 3 -> drop_path_ 4"


def test_a_block_of_the_same_name_gives_way() -> None:
    model = netc.compile(BLOCK)
    assert re.findall(r"^class (\w+)", model.source(), re.M) == ["DropPath", "DropPath2", "Net"]
    assert model.module(seed=0)(torch.zeros(5, 3)).shape == (5, 4)


def test_a_block_keeps_its_name_where_nothing_else_has_it() -> None:
    classes = re.findall(r"^class (\w+)", netc.compile(BLOCK.replace(" -> drop_path 0.5", "")).source(), re.M)
    assert classes == ["DropPath", "Net"]


def test_a_model_of_the_same_name_gives_way() -> None:
    model = netc.compile("model drop_path_ { input 3 -> drop_path 0.5 -> dense 2 }")
    assert re.findall(r"^class (\w+)", model.source(), re.M) == ["DropPath", "DropPath2"]
    assert type(model.module()).__name__ == "DropPath2"


@pytest.mark.parametrize(("p", "classes"), [("0", ["Net"]), ("0.1", ["DropPath", "Net"])])
def test_a_path_that_is_never_dropped_needs_none(p: str, classes: list[str]) -> None:
    source = netc.compile(f"x = input 3; x + (x -> dense 3 -> drop_path {p})").source()
    assert re.findall(r"^class (\w+)", source, re.M) == classes
