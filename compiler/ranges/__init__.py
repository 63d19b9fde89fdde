"""Find how large the numbers of a model become, and keep stages in float32 that do not fit float16."""

from __future__ import annotations

from .find_bounds import BoundFinder as BoundFinder
from .find_bounds import ParameterReader as ParameterReader
from .find_bounds import StageBound as StageBound
from .find_bounds import StageKey as StageKey
from .find_bounds import find_bounds as find_bounds
