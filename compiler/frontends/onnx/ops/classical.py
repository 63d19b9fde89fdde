"""Operators of `ai.onnx.ml` that are arithmetic. Converters from scikit-learn write them around linear models and networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ....ir.graph_values import Value
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import FLOAT32
from ...graph_builder import ImportRefused
from ..attribute_numbers import plain
from ..emitter import number
from ..importer_site import Site
from ..importer_table import imports
from ..index_origin import count_from_beginning
from ..onnx_values import Item, Known
from .dense import layer

_TRANSFORMS = {"NONE": None, "SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}


@imports("ai.onnx.ml:ArrayFeatureExtractor", to="index_select")
def array_feature_extractor(site: Site) -> Value:
    """Selects elements of the last axis. The operator treats a vector as a matrix with one row."""
    x, item = site.x(0), site.item(1)
    size = x.type.shape[-1]
    index = site.tensor(Known(item.array.reshape(-1))) if isinstance(item, Known) else site.x(1)
    index = index if index.type.rank == 1 else site.one("reshape", index, shape=(-1,))
    index = index if isinstance(item, Known) else count_from_beginning(site, index, size)
    taken = site.one("index_select", x, index, axis=-1)
    return taken if x.type.rank > 1 else site.one("unsqueeze", taken, axis=0)


@imports("ai.onnx.ml:Scaler", to="sub and mul")
def scaler(site: Site) -> Value:
    x = site.cast(site.x(), FLOAT32)
    shifted = _apply(site, "sub", x, site.attr("offset", []), 0.0)
    return _apply(site, "mul", shifted, site.attr("scale", []), 1.0)


def _apply(site: Site, operator: str, x: Value, numbers: Sequence[float], neutral: float) -> Value:
    """Applies the operator with one number, or with a number for each feature."""
    array = np.asarray(numbers, np.float32)
    if (array == neutral).all():
        return x
    if (array == array[0]).all():
        return site.one(operator, x, other=float(str(array[0])))
    return site.one(operator, x, site.tensor(Known(array)))


@imports("ai.onnx.ml:Normalizer", to="normalize")
def normalizer(site: Site) -> Value:
    norm = site.attr("norm", "MAX")
    if norm not in ("L1", "L2"):
        raise ImportRefused(f"has the norm {norm}, which has no counterpart")
    return site.one("normalize", site.cast(site.x(), FLOAT32), p=float(norm[1]), axis=-1)


@imports("ai.onnx.ml:Binarizer", to="gt")
def binarizer(site: Site) -> Value:
    """1 where a number is greater than the threshold, else 0."""
    x = site.x()
    return site.cast(site.one("gt", x, other=plain(float(site.attr("threshold", 0.0)))), x.type.dtype)


@imports("ai.onnx.ml:Imputer", to="isnan, or eq; where")
def imputer(site: Site) -> Value:
    """Another number in place of one that marks what is missing: one for all features, or one for each."""
    x = site.x()
    kind = "float" if x.type.dtype.is_float else "int64"
    numbers = np.asarray(site.attr(f"imputed_value_{kind}s", []), numpy_dtype(x.type.dtype))
    if numbers.size == 0:
        raise ImportRefused(f"has no numbers for elements of {x.type.dtype}")
    marker = plain(site.attr(f"replaced_value_{kind}", 0))
    missing = site.one("isnan", x) if math.isnan(marker) else site.one("eq", x, other=marker)
    if numbers.size == 1:
        return site.one("where", missing, x, other=number(numbers), reverse=True)
    return site.one("where", missing, site.tensor(Known(numbers)), x)


@imports("ai.onnx.ml:LinearRegressor", to="dense")
def linear_regressor(site: Site) -> Value:
    site.require("post_transform", "NONE", default="NONE")
    return _linear_layer(site, int(site.attr("targets", 1)))


@imports("ai.onnx.ml:LinearClassifier", to="dense, argmax, softmax or sigmoid")
def linear_classifier(site: Site) -> list[Item]:
    """The scores of the classes, and the label of the largest one."""
    transform = site.attr("post_transform", "NONE")
    if transform not in _TRANSFORMS:
        raise ImportRefused(f"has the transformation {transform}, which has no counterpart")
    labels, words = site.attr("classlabels_ints", []), site.attr("classlabels_strings", [])
    site.attr("multi_class")
    count = len(labels) or len(words)
    if count < 2 or len(site.attr("intercepts", [])) != count:
        raise ImportRefused("has one row of coefficients for two classes, which has no counterpart")
    scores = _linear_layer(site, count)
    operator = _TRANSFORMS[transform]
    made = scores if operator is None else site.one(operator, scores, **({"axis": -1} if operator == "softmax" else {}))
    return [_predicted_label(site, scores, labels) if site.used[0] else None, made]


def _predicted_label(site: Site, scores: Value, labels: Sequence[int]) -> Value:
    if not labels:
        raise ImportRefused("gives labels that are strings, which netc does not have", "`--output-name` chooses other outputs")
    best = site.one("argmax", scores, axis=-1)
    if list(labels) == list(range(len(labels))):
        return best
    return site.one("index_select", site.tensor(Known(np.asarray(labels, np.int64))), best, axis=0)


def _linear_layer(site: Site, count: int) -> Value:
    weight = np.asarray(site.attr("coefficients", []), np.float32).reshape(count, -1)
    numbers = site.attr("intercepts")
    bias = None if numbers is None else Known(np.asarray(numbers, np.float32))
    return layer(site, site.cast(site.x(), FLOAT32), Known(weight), bias)
