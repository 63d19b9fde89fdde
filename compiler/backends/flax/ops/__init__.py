"""Emitters for Flax. Importing this package fills the tables: with what all frameworks with NumPy's names share, then with Flax's own."""

from importlib import import_module
from pkgutil import iter_modules

from ...python import array_ops
from ...python.array_ops.array_emitters import ARRAY
from ..flax_emitters import EMITTERS
from ..flax_words import WORDS

assert array_ops, "importing the package fills the table"

ARRAY.add_all(EMITTERS, WORDS)
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
