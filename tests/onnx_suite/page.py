"""The table of docs/import.md: what ONNX's backend suite found."""

from __future__ import annotations

from collections.abc import Sequence

from onnx_suite.judged import Result


def write(results: Sequence[Result]) -> None: ...
