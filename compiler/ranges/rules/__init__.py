"""The rules for bounds, one file for each kind of operator. Importing the package fills the table."""

from __future__ import annotations

from . import function_bounds as function_bounds
from . import layer_bounds as layer_bounds
from . import layout_bounds as layout_bounds
from . import normalization_bounds as normalization_bounds
from . import product_bounds as product_bounds
from . import reduction_bounds as reduction_bounds
