"""The registry of backends: every folder is registered, and what depends on the names asks it."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import netc
from netc.cli import write_target
from netc.cli.compile import SECTION, command
from netc.compiler import backends as package
from netc.compiler.backends import backend_registry
from netc.compiler.backends.backend import Executable
from netc.compiler.backends.backend_registry import NAMES, UnknownTarget, find_backend, get_or_raise, list_backends
from netc.compiler.backends.exported.exported_backend import ExportedBackend
from netc.compiler.ops import Operator


def test_every_folder_is_registered() -> None:
    folders = {path.parent.name for path in Path(package.__path__[0]).glob("*/__init__.py")}
    assert set(NAMES) == {name for name in folders if hasattr(import_module(f"{package.__name__}.{name}"), "BACKEND")}
    assert [backend.name for backend in list_backends()] == list(NAMES)


def test_each_ending_asks_for_the_first_backend_that_has_it() -> None:
    firsts = {backend.suffix: backend for backend in reversed(list_backends())}
    for backend in list_backends():
        assert find_backend(f"folder.x/m{backend.suffix.upper()}") is firsts[backend.suffix]
    assert find_backend("m.txt") is None


def test_backends_may_share_an_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """As several that write Python do: `--target` says which is meant."""
    other = SimpleNamespace(name="other", suffix=".py", is_binary=False)
    monkeypatch.setitem(sys.modules, f"{package.__name__}.other", SimpleNamespace(BACKEND=other))
    monkeypatch.setattr(backend_registry, "NAMES", (*NAMES, "other"))
    assert write_target._choose_backend("other", "m.py") is other
    assert write_target._choose_backend("torch", "m.py") is write_target._choose_backend(None, "m.py") is get_or_raise("torch")
    with pytest.raises(click.UsageError, match="asks for the target onnx, and --target says other"):
        write_target._choose_backend("other", "m.onnx")


@pytest.mark.parametrize(
    ("name", "says"),
    [("trch", "there is no target `trch`: did you mean `torch`?"), ("jax", "there is no target `jax`: the targets are `torch`, `onnx`")],
)
def test_unknown_targets(name: str, says: str) -> None:
    with pytest.raises(UnknownTarget) as error:
        get_or_raise(name)
    assert str(error.value).startswith(says)
    with pytest.raises(ValueError, match="there is no target"):
        netc.compile("input 3 -> relu").source(name)


def test_the_command_line_offers_all() -> None:
    choices = {param.name: param.type.choices for param in command.params if param.name in ("target", "emit")}  # type: ignore[attr-defined]
    assert set(choices["target"]) == {*NAMES, SECTION}
    assert set(choices["emit"]) == {"tokens", "ast", "graph", *NAMES}
    assert all(f"NAME{backend.suffix}" in next(p.help for p in command.params if p.name == "output") for backend in list_backends())  # type: ignore[attr-defined]


def test_the_text_of_every_backend() -> None:
    """tests/formats has the texts of backends that need a converter."""
    model = netc.compile("input 3 -> dense 2")
    names = [name for name in NAMES if not isinstance(get_or_raise(name), ExportedBackend)]
    assert all(model.source(name) == model.source(name) != "" for name in names)
    assert model.source() == model.source("torch")


def test_what_runs() -> None:
    assert "onnx" in [backend.name for backend in list_backends() if isinstance(backend, Executable)]
    assert not isinstance(get_or_raise("torch"), Executable)


def test_no_operator_knows_a_backend() -> None:
    assert not any(vars(operator).keys() & set(NAMES) for operator in (Operator, *Operator.registry.values()))
