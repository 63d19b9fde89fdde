"""How a PyTorch user would call each operator of netc: the judge of validity, types and numbers, which knows nothing of netc's emitters.

In: the name of an operator. Out: a function of a `Call` and of the tensors in netc's order. Always: written by hand from PyTorch's
documentation; nothing here checks anything, so that what is refused, PyTorch refuses. Where PyTorch has no such function, a short formula
says what is meant, in another way than the emitters do. A new operator has its reference next to its cases, in `REFERENCES` of
`tests/ops/cases_FAMILY.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.case_families import FAMILIES
from tests.differential.references import activation, constants, elementwise, layers, normalization, products, reduction, shape, spatial
from tests.differential.references.call import Call as Call

Reference = Callable[..., Any]

FUNCTIONS = [
    *(family.FUNCTIONS for family in (activation, constants, elementwise, layers, normalization, products, reduction, shape, spatial)),
    *(getattr(module, "REFERENCES", {}) for module in FAMILIES.values()),
]
REFERENCES: dict[str, Reference] = {name: function for functions in FUNCTIONS for name, function in functions.items()}
