"""Operators that are imported by their definition in the standard; see compiler/onnx_standard/standard_functions.py."""

from __future__ import annotations

from typing import NoReturn

from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from ..importer_table import imports


@imports("AffineGrid", "CausalConvWithState", "LinearAttention", "SwiGLU", to="the operators that it is defined by")
def refuse_for_definition(site: OnnxSite) -> NoReturn:
    """Refuse the operator, because the importer then takes its definition."""
    raise ImportRefused("is defined by operators that have no counterpart")
