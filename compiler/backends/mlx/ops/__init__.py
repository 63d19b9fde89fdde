"""Emitters for MLX. Importing this package fills the tables: with what all frameworks with NumPy's names share, then with MLX's own."""

from importlib import import_module
from pkgutil import iter_modules

from ....ops.special import Digamma, Erfc, Lgamma
from ...python import array_ops
from ...python.array_ops.array_emitters import ARRAY
from ..mlx_emitters import EMITTERS
from ..mlx_words import WORDS

assert array_ops, "importing the package fills the table"

LACKING = (Digamma, Erfc, Lgamma)
"""The operators whose functions MLX does not have."""

ARRAY.add_all(EMITTERS, WORDS, LACKING)
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
