"""The small datasets that the scikit-learn package contains. Nothing is downloaded.

>>> source = open_sklearn("iris")
>>> len(source), source.columns["features"].shape
(150, (4,))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netc.compiler.errors.optional_packages import format_install_command

from .data_source import Array, ArraySource, DataError

SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud")


class LabeledSource(ArraySource):
    """Arrays in memory, and the names of the classes in columns of class numbers."""

    def __init__(self, arrays: dict[str, Array], class_names: dict[str, tuple[str, ...]]) -> None:
        super().__init__(arrays)
        self.class_names = class_names


def open_sklearn(name: str) -> ArraySource:
    """Open a dataset with the columns `features` `[samples, features]` and `target` `[samples]`. `digits` also has `image`
    `[samples, 1, 8, 8]`, with values from 0 to 16. The classes of `iris`, `wine` and `breast_cancer` have names."""
    if name not in SETS:
        raise DataError(f"scikit-learn has no such set; those that need no download are {', '.join(SETS)}")
    try:
        from sklearn import datasets
    except ImportError:
        raise DataError("scikit-learn is not installed", f"run `{format_install_command('sklearn')}`") from None
    dataset = getattr(datasets, f"load_{name}")()
    arrays = {"features": np.asarray(dataset.data, np.float32), "target": np.asarray(dataset.target)}
    if name == "digits":
        arrays["image"] = np.asarray(dataset.images, np.float32)[:, None]
    return LabeledSource(arrays, _find_label_names(dataset))


def _find_label_names(dataset: Any) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes, by column. `target_names` also has the numbers of `digits`, and the columns of `linnerud`, whose
    targets are measurements: neither is the name of a class."""
    names = np.asarray(dataset.get("target_names", ()))
    is_named = names.dtype.kind == "U" and np.asarray(dataset.target).dtype.kind == "i"
    return {"target": tuple(map(str, names))} if is_named else {}
