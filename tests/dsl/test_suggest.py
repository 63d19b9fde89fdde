"""Did-you-mean."""

from __future__ import annotations

from netc.dsl.diagnostics.suggest import find_similar_names


def test_case_comes_first() -> None:
    assert find_similar_names("Relu", ["relu", "relu6", "ReLU"]) == ["ReLU", "relu"]


def test_by_distance_then_alphabet() -> None:
    assert find_similar_names("sigmiod", ["sigmoid", "softmax", "silu"]) == ["sigmoid"]
    assert find_similar_names("batchnorm", ["batch_norm", "layer_norm", "batch_norms", "batch_form"]) == ["batch_norm", "batch_form"]


def test_or_nothing() -> None:
    assert find_similar_names("xy", ["ab", "xz"]) == []
    assert find_similar_names("dense", ["conv", "dense"]) == []
    assert find_similar_names("", ["a"]) == []
