"""The plain PyTorch loops of all objectives in specs/training, by the names of the specs."""

from tests.training.plain_derivatives import DERIVATIVES
from tests.training.plain_more_objectives import MORE
from tests.training.plain_objectives import RECIPES as OBJECTIVES

RECIPES = OBJECTIVES | DERIVATIVES | MORE
