"""The small datasets that the scikit-learn package contains. Nothing is downloaded."""

from __future__ import annotations

import numpy as np

from netc.compiler.errors.optional_packages import format_install_command

from .data_source import ArraySource, DataError

SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud")


def open_sklearn(name: str) -> ArraySource:
    """Open a dataset with the columns `features` `[samples, features]` and `target` `[samples]`. `digits` also has `image`
    `[samples, 1, 8, 8]`, with values from 0 to 16."""
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
    return ArraySource(arrays)
