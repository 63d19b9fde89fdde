"""Did-you-mean."""

from __future__ import annotations

from netc.dsl.diagnostics.suggest import near


def test_case_comes_first() -> None:
    assert near("Relu", ["relu", "relu6", "ReLU"]) == ["ReLU", "relu"]


def test_by_distance_then_alphabet() -> None:
    assert near("sigmiod", ["sigmoid", "softmax", "silu"]) == ["sigmoid"]
    assert near("batchnorm", ["batch_norm", "layer_norm", "batch_norms", "batch_form"]) == ["batch_norm", "batch_form"]


def test_or_nothing() -> None:
    assert near("xy", ["ab", "xz"]) == []
    assert near("dense", ["conv", "dense"]) == []
    assert near("", ["a"]) == []
