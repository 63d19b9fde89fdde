"""The plain PyTorch loops of all objectives in specs/training, by the names of the specs."""

from tests.training.plain_derivatives import DERIVATIVES
from tests.training.plain_generative import GENERATIVE
from tests.training.plain_policies import POLICIES
from tests.training.plain_siamese import SIAMESE
from tests.training.plain_supervised import SUPERVISED

RECIPES = GENERATIVE | SIAMESE | POLICIES | SUPERVISED | DERIVATIVES
