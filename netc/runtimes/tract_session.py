"""Runs ONNX models in tract, Sonos's inference engine in Rust.

In: the path of a model. Out: a session. Always: symbolic sizes stay symbolic, so one session takes inputs of several sizes.

For example, `TractSession("keyword.onnx")(sound)` returns the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.compiler.backends.onnx.runtime_profiles.tract import TRACT
from netc.compiler.types.numpy_types import Array

from .runtime_session import RuntimeSession


class TractSession(RuntimeSession):
    """A model in tract, which computes in one thread."""

    profile = TRACT
    modules = ("tract",)

    def _load(self, path: str, threads: int | None) -> None:
        import tract

        self._runnable = tract.onnx().load(path).into_model().into_runnable()

    def _run(self, feeds: Mapping[str, Array]) -> list[Any]:
        return [result.to_numpy() for result in self._runnable.run(list(feeds.values()))]
