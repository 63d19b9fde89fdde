"""Operators of ONNX that ONNX Runtime has no kernel for, and takes apart as ONNX's specification says: their numbers may not be good."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest

import netc
from netc.compiler.ops import Operator
from tests.differential.values import TORCH_ALONE

LOOKED_AT = {"HardSwish", "Mish", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}
"""Of one element each: nothing cancels; the losses are LogSoftmax and a look-up.

GroupNormalization was one of them, whose variance is E[x^2] - E[x]^2."""


@pytest.mark.long
def test_those_that_are_taken_apart(tmp_path: Path) -> None:
    """The examples of all operators together have every node that is usual."""
    found: set[str] = set()
    for cls in Operator.registry.values():
        for text in () if cls.name in TORCH_ALONE else cls.examples:
            model = netc.compile(text).onnx()
            found |= _apart(model, tmp_path / "model.onnx")
    assert found == LOOKED_AT


def _apart(model: onnx.ModelProto, path: Path) -> set[str]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given, left = (Counter(node.op_type for node in m.graph.node) for m in (model, onnx.load(path)))
    return {op_type for op_type, count in given.items() if left[op_type] < count}
