"""Imports operators of `ai.onnx.ml` that are arithmetic. Converters from scikit-learn write them around linear models and networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ....ir.graph_values import Value
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import FLOAT32, INT64
from ...graph_builder import ImportRefused
from ..attribute_numbers import shorten_float
from ..emitter import to_number
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..index_origin import count_from_beginning
from ..onnx_values import Item, Known
from .dense import apply_dense

_TRANSFORMS = {"NONE": None, "SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}


@imports("ai.onnx.ml:ArrayFeatureExtractor", to="index_select")
def import_array_feature_extractor(site: OnnxSite) -> Value:
    """Select elements of the last axis. The operator treats a vector as a matrix with one row."""
    x, item = site.input(0), site.get_item(1)
    size = x.type.shape[-1]
    index = site.to_tensor(Known(item.array.reshape(-1))) if isinstance(item, Known) else site.input(1)
    index = index if index.type.rank == 1 else site.apply_op("reshape", index, shape=(-1,))
    index = index if isinstance(item, Known) else count_from_beginning(site, index, size)
    selected = site.apply_op("index_select", x, index, axis=-1)
    return selected if x.type.rank > 1 else site.apply_op("unsqueeze", selected, axis=0)


@imports("ai.onnx.ml:Scaler", to="sub and mul")
def import_scaler(site: OnnxSite) -> Value:
    x = site.cast(site.input(), FLOAT32)
    shifted = _apply_per_feature(site, "sub", x, site.get_attr("offset", []), 0.0)
    return _apply_per_feature(site, "mul", shifted, site.get_attr("scale", []), 1.0)


def _apply_per_feature(site: OnnxSite, operator: str, x: Value, numbers: Sequence[float], neutral: float) -> Value:
    """Apply an operator with one number, or with a number for each feature."""
    array = np.asarray(numbers, np.float32)
    if (array == neutral).all():
        return x
    if (array == array[0]).all():
        return site.apply_op(operator, x, other=float(str(array[0])))
    return site.apply_op(operator, x, site.to_tensor(Known(array)))


@imports("ai.onnx.ml:Normalizer", to="normalize")
def import_normalizer(site: OnnxSite) -> Value:
    norm = site.get_attr("norm", "MAX")
    if norm not in ("L1", "L2"):
        raise ImportRefused(f"has the norm {norm}, which has no counterpart")
    return site.apply_op("normalize", site.cast(site.input(), FLOAT32), p=float(norm[1]), axis=-1)


@imports("ai.onnx.ml:Binarizer", to="gt")
def import_binarizer(site: OnnxSite) -> Value:
    """Return 1 where a number is greater than the threshold, and 0 elsewhere."""
    x = site.input()
    return site.cast(site.apply_op("gt", x, other=shorten_float(float(site.get_attr("threshold", 0.0)))), x.type.dtype)


@imports("ai.onnx.ml:Imputer", to="isnan, or eq; where")
def import_imputer(site: OnnxSite) -> Value:
    """Replace a number that marks missing values by another one: one for all features, or one for each."""
    x = site.input()
    kind = "float" if x.type.dtype.is_float else "int64"
    numbers = np.asarray(site.get_attr(f"imputed_value_{kind}s", []), numpy_dtype(x.type.dtype))
    if numbers.size == 0:
        raise ImportRefused(f"has no numbers for elements of {x.type.dtype}")
    marker = shorten_float(site.get_attr(f"replaced_value_{kind}", 0))
    missing = site.apply_op("isnan", x) if math.isnan(marker) else site.apply_op("eq", x, other=marker)
    if numbers.size == 1:
        return site.apply_op("where", missing, x, other=to_number(numbers), reverse=True)
    return site.apply_op("where", missing, site.to_tensor(Known(numbers)), x)


@imports("ai.onnx.ml:OneHotEncoder", to="eq and cast")
def import_one_hot_encoder(site: OnnxSite) -> Value:
    """Compare each number with all categories, along a new last axis. ONNX Runtime cuts floats to integers first."""
    categories = np.asarray(site.get_attr("cats_int64s", []), np.int64)
    site.require_attr("zeros", 1, default=1)
    if not categories.size:
        raise ImportRefused("has categories that are strings, which netc does not have")
    x = site.apply_op("unsqueeze", site.cast(site.input(), INT64), axis=-1)
    return site.cast(site.apply_op("eq", x, site.to_tensor(Known(categories))), FLOAT32)


@imports("ai.onnx.ml:LinearRegressor", to="dense")
def import_linear_regressor(site: OnnxSite) -> Value:
    site.require_attr("post_transform", "NONE", default="NONE")
    return _apply_linear_layer(site, int(site.get_attr("targets", 1)))


@imports("ai.onnx.ml:LinearClassifier", to="dense, argmax, softmax or sigmoid")
def import_linear_classifier(site: OnnxSite) -> list[Item]:
    """Return the label of the largest score, and the scores of the classes."""
    transform = site.get_attr("post_transform", "NONE")
    if transform not in _TRANSFORMS:
        raise ImportRefused(f"has the transformation {transform}, which has no counterpart")
    labels, words = site.get_attr("classlabels_ints", []), site.get_attr("classlabels_strings", [])
    site.get_attr("multi_class")
    count = len(labels) or len(words)
    # scikit-learn stores two classes as one row, whose sign decides.
    if count < 2 or len(site.get_attr("intercepts", [])) != count:
        raise ImportRefused("has one row of coefficients for two classes, which has no counterpart")
    scores = _apply_linear_layer(site, count)
    operator = _TRANSFORMS[transform]
    transformed = scores if operator is None else site.apply_op(operator, scores, **({"axis": -1} if operator == "softmax" else {}))
    return [_predict_label(site, scores, labels) if site.used[0] else None, transformed]


def _predict_label(site: OnnxSite, scores: Value, labels: Sequence[int]) -> Value:
    if not labels:
        raise ImportRefused("gives labels that are strings, which netc does not have", "`--output-name` chooses other outputs")
    best = site.apply_op("argmax", scores, axis=-1)
    # Labels that count from 0 are the indices themselves.
    if list(labels) == list(range(len(labels))):
        return best
    return site.apply_op("index_select", site.to_tensor(Known(np.asarray(labels, np.int64))), best, axis=0)


def _apply_linear_layer(site: OnnxSite, count: int) -> Value:
    weight = np.asarray(site.get_attr("coefficients", []), np.float32).reshape(count, -1)
    numbers = site.get_attr("intercepts")
    bias = None if numbers is None else Known(np.asarray(numbers, np.float32))
    return apply_dense(site, site.cast(site.input(), FLOAT32), Known(weight), bias)
