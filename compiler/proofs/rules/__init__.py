"""The rules of operators, by family."""

from . import attention as attention
from . import elementwise as elementwise
from . import linear_algebra as linear_algebra
from . import losses as losses
from . import reduction as reduction
from . import shape as shape
from . import windows as windows
