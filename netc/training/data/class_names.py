"""The names of the classes in a column, in the order of their numbers.

In: opened data and a column. Out: names, or nothing if the data only has numbers. Always: the names come from the categories or the two
words of a column of text or booleans, from the folders of images, or from the features of a Hugging Face data set.

    >>> from .sklearn import open_sklearn
    >>> find_class_names(open_sklearn("iris"), "target")
    ('setosa', 'versicolor', 'virginica')
"""

from __future__ import annotations

from .data_source import Source
from .encodings import BOOLEAN, CATEGORY, EncodedSource, find_boolean_words


def find_class_names(source: Source, column: str) -> tuple[str, ...]:
    """Return the names of the classes in a column."""
    encoding = source.encodings.get(column) if isinstance(source, EncodedSource) else None
    if encoding is None and _is_boolean(source, column):
        return find_boolean_words(source, column)
    if encoding is None:
        return get_label_names(source).get(column, source.classes)
    if encoding.kind == CATEGORY:
        return encoding.categories
    return find_boolean_words(source, column) if encoding.kind == BOOLEAN else ()


def _is_boolean(source: Source, column: str) -> bool:
    """Whether a column has one boolean in each row, which an input of integers reads as 0 and 1."""
    described = source.columns.get(column)
    return described is not None and described.shape == () and described.dtype is not None and described.dtype.kind == "b"


def get_label_names(source: Source) -> dict[str, tuple[str, ...]]:
    """Return the names of the class numbers of a source, by column."""
    inner = source.source if isinstance(source, EncodedSource) else source
    names: dict[str, tuple[str, ...]] = getattr(inner, "class_names", {})
    return names
