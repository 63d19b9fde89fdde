"""A test reaches all that its result depends on: in processes that do not end by themselves, and what an earlier test has made for it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mutants import processes
from mutants.hits import HITS, SITE, Hits
from mutants.plan import Plan
from mutants.plugin import Recorder, name_module

TESTS = """import functools, pytest

@functools.cache
def double(x): __hit__(1); return 2 * x
@pytest.fixture(scope="module")
def three(): __hit__(2); return 3
@pytest.fixture
def six(three): __hit__(3); return double(three)

def test_first(six): assert six == 6
def test_second(six): assert six == 6
def test_cached(): assert double(3) == 6; double.cache_clear(); assert double.cache_info().currsize == 0
def test_nothing(): __hit__(4)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_processes_that_are_killed(tmp_path: Path) -> None:
    hits = Hits(tmp_path / "hits", 4)
    (tmp_path / "sitecustomize.py").write_text(SITE)
    code = "import os, signal\n__hit__(1)\nif os.fork(): os.wait(); os.kill(os.getpid(), signal.SIGKILL)\n__hit__(3); os._exit(0)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), HITS: str(tmp_path / "hits")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -9
    hits.note(0)
    assert hits.update() == {0, 1, 3}


def test_a_body_reaches_what_its_parts_reach(tmp_path: Path) -> None:
    hits = Hits(tmp_path / "hits", 4)
    hits.note(0)
    with hits.collect() as outer:
        hits.note(1)
        with hits.collect() as inner:
            hits.note(2)
    hits.note(3)
    assert (inner, outer, hits.update()) == ({2}, {1, 2}, {0, 1, 2, 3})


def test_caches_keep_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods, limits and arguments stay, and functions of other trees are left alone."""
    original = functools.lru_cache
    monkeypatch.setattr(functools, "lru_cache", original)  # both are set back at the end
    monkeypatch.setattr(functools, "cache", functools.cache)
    Hits(tmp_path / "hits", 1).note_cached_results(tmp_path)
    text = "class C:\n    @functools.lru_cache(1)\n    def m(self, x): return [x]\n@functools.lru_cache\ndef f(x): return [x]\n"
    space: dict[str, Any] = {"functools": functools}
    exec(compile(text, str(tmp_path / "m.py"), "exec"), space)
    value, f = space["C"](), space["f"]
    assert value.m(1) is value.m(1)
    first = value.m(1)
    assert value.m(2) == [2]
    assert value.m(1) is not first
    assert f(x=3) is f(x=3)
    assert (f.cache_parameters()["maxsize"], space["C"].m.cache_parameters()["maxsize"]) == (128, 1)
    assert type(functools.cache(lambda: 1)) is type(original()(lambda: 1))


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_what_another_test_made(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "test_cases.py").write_text(TESTS)
    (tree / "pytest.ini").write_text("[pytest]\n")
    run = processes.start(tree, [partial(Recorder, 0, 1, [], 6)], 60, tmp_path / "result.json", **{HITS: str(tmp_path / "hits")})
    while (outcome := processes.finished(run)) is None:
        time.sleep(0.05)
    found = {name.partition("::")[2]: set(hits) for name, (_, hits) in outcome.summary["tests"].items()}
    assert found == {"test_first": {1, 2, 3}, "test_second": {1, 2, 3}, "test_cached": {1}, "test_nothing": {4}}
    assert outcome.summary["imported"] == []


def test_what_an_import_runs_belongs_to_the_tests_of_its_file() -> None:
    part = {"imported": [0], "tests": {"a": (1.0, [5]), "b": (1.0, [5]), "c": (1.0, [1])}}
    plan = Plan([part], {"dsl/ast.py": 5})
    assert plan.covering(0, "dsl/ast.py") == ["a", "b"]
    assert plan.covering(1, "dsl/ast.py") == ["c"]


def test_names_of_modules() -> None:
    for path in ("dsl/ast.py", "compiler/ops/__init__.py", "netc/model.py", "netc/__init__.py"):
        assert name_module(path) in sys.modules or __import__(name_module(path))
    assert name_module("compiler/ops/__init__.py") == "netc.compiler.ops"
