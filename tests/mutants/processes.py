"""Runs of pytest in forked processes, which find in memory what takes long to import.

In: a copy of the tree and what to run. Out: what the plugin reported. Always: a run that uses too much time or memory is ended, with all
that it started.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

ROOT = os.getcwd()
"""The tree around this process, which imports must not find."""
PASSED = {0, 5}
"""Statuses of pytest: all tests passed, or there were none."""
MEMORY = 12 << 30
WALL = 12
"""The wall-clock limit of a run as a multiple of its CPU limit: the machine may be busy."""


class Plugin(Protocol):
    def options(self) -> list[str]: ...
    def summary(self) -> dict[str, Any]: ...


class Run(NamedTuple):
    """A run that has been started."""

    pid: int
    result: Path
    deadline: float


class Outcome(NamedTuple):
    """`status` is pytest's exit status; negative: the signal that ended it."""

    status: int
    summary: dict[str, Any]


def start(tree: Path, plugins: Iterable[Callable[[], Plugin]], seconds: float, result: Path, **environment: str) -> Run:
    """Runs tests of the tree, once with each plugin until they fail; ended when the processor has worked `seconds` for them."""
    result.unlink(missing_ok=True)
    pid = os.fork()
    if pid:
        return Run(pid, result, time.monotonic() + WALL * seconds)
    status = 3
    try:
        os.setsid()
        _limit(int(seconds))
        _move_into(tree, result.with_suffix(".log"), environment)
        for plugin in plugins:
            made = plugin()
            status = int(pytest.main(["--numprocesses", "0", "-p", "no:cacheprovider", *made.options()], plugins=[made]))
            result.write_text(json.dumps(made.summary() | {"modules": _third_party(tree)}))
            if status not in PASSED:
                break
    except BaseException as error:
        result.write_text(json.dumps({"failure": repr(error)}))
    finally:
        os._exit(status)


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _move_into(tree: Path, log: Path, environment: dict[str, str]) -> None:
    """Imports find the tree's code instead of that around this process, and what is cached for the user is not the user's."""
    sys.path[:] = [str(tree), *(entry for entry in sys.path if entry not in ("", ROOT))]
    os.environ |= {"PYTHONPATH": str(tree)} | environment
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    os.chdir(tree)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _third_party(tree: Path) -> list[str]:
    """What has been imported from elsewhere."""
    found = []
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None) or ""
        if "site-packages" in origin and not name.startswith("_") and not origin.startswith(str(tree)):
            found.append(name)
    return found


def preload(modules: Sequence[str]) -> None:
    """Imports what the tests will ask for, and keeps it out of the garbage collector's sight."""
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def finished(run: Run) -> Outcome | None:
    """The outcome, if the run has ended or lasts too long."""
    pid, status = os.waitpid(run.pid, os.WNOHANG)
    if not pid and time.monotonic() < run.deadline:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    if not pid:
        os.waitpid(run.pid, 0)
        return Outcome(-signal.SIGKILL, {})
    summary = json.loads(run.result.read_text()) if run.result.exists() else {}
    return Outcome(os.waitstatus_to_exitcode(status), summary)
