"""How a PyTorch user would call each operator of netc: the judge of validity, types and numbers, which knows nothing of netc's emitters.

In: the name of an operator. Out: a function of a `Call` and of the tensors in netc's order. Always: written by hand from PyTorch's
documentation; nothing here checks anything, so that what is refused, PyTorch refuses. Where PyTorch has no such function, a short formula
says what is meant, in another way than the emitters do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.differential.references import activation, constants, elementwise, layers, normalization, products, reduction, shape, spatial
from tests.differential.references.call import Call as Call

Reference = Callable[..., Any]

FAMILIES = (activation, constants, elementwise, layers, normalization, products, reduction, shape, spatial)
REFERENCES: dict[str, Reference] = {name: function for family in FAMILIES for name, function in family.FUNCTIONS.items()}
