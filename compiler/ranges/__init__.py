"""Find how large the numbers of a model become, and keep stages in float32 that do not fit float16."""

from __future__ import annotations

from .bound_table import LEAST_SPREAD as LEAST_SPREAD
from .find_bounds import BoundFinder as BoundFinder
from .find_bounds import ParameterReader as ParameterReader
from .find_bounds import StageBound as StageBound
from .find_bounds import StageKey as StageKey
from .find_bounds import find_bounds as find_bounds
from .keep_float32 import NoSuchStage as NoSuchStage
from .keep_float32 import is_half as is_half
from .keep_float32 import keep_in_float32 as keep_in_float32
