"""The keyword arguments of methods that write an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class WriterKeywords(TypedDict, total=False):
    """The options for writing an ONNX model: the fields of `GraphOptions` except the runtime."""

    opset: int | None
    optimize: bool
    metadata: Mapping[str, str] | None
    functions: bool


class GraphKeywords(WriterKeywords, total=False):
    """The options of an ONNX model: the fields of `GraphOptions`."""

    runtime: str | None
