"""Whole random models: PyTorch, the source and ONNX Runtime agree, the formatter keeps it, the same text makes the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, note, settings
from parity import agree
from profiles import examples

import netc
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile
from tests.differential.models import models

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch warns of uses that nobody would write


@settings(max_examples=examples(40), suppress_health_check=list(HealthCheck))
@given(models())
def test_models(text: str) -> None:
    note(text)
    model = netc.compile(text)
    agree(model, conditioned=False)
    laid_out, problems = format_source(SourceFile("model.net", text))
    assert laid_out is not None, problems
    again = netc.compile(laid_out)
    assert again.source() == model.source()
    assert model.onnx(seed=1).SerializeToString() == netc.compile(text).onnx(seed=1).SerializeToString()
