"""Emitters for MLX. Importing this package fills the tables: with what all frameworks with NumPy's names share, then with MLX's own."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ....ops.special import Digamma, Erfc, Lgamma
from ....types.tensor_types import BOOL
from ...python import array_ops
from ...python.array_ops.array_emitters import ARRAY
from ...python.code.python_expressions import Code, call_method
from ...python.emitters import Emitter
from ..mlx_emitters import EMITTERS, MlxSite
from ..mlx_framework import get_mlx_dtype
from ..mlx_words import WORDS

assert array_ops, "importing the package fills the table"

LACKING = (Digamma, Erfc, Lgamma)
"""The operators whose functions MLX does not have."""

ARRAY.add_all(EMITTERS, WORDS, LACKING)
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def convert_booleans(emitter: Emitter) -> Emitter:
    """Convert integers that are computed from booleans, which are `int32` in MLX, to the type that the spec declares."""

    def emit(op: Any, site: MlxSite) -> Code:
        code = emitter(op, site)
        given, (result, *others) = [value.type.dtype for value in site.node.inputs], [one.dtype for one in site.results]
        converts = BOOL in given and result.is_integer and result not in given and not others
        return call_method(code, "astype", get_mlx_dtype(result)) if converts else code

    return emit


EMITTERS.functions.update({operator: convert_booleans(emitter) for operator, emitter in EMITTERS.functions.items()})
