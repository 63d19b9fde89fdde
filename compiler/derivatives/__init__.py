"""Gradients written out as stages, for targets that cannot differentiate.

`expand_gradients` replaces each `gradient` of a program by the stages that compute it. Each operator between the two tensors needs a
rule of product_rules.py, or a definition by operators that have one: its own, or a text of differentiable_forms.py. PyTorch's autograd is
the judge: see tests/differential/test_written_gradients.py.
"""

from .expand_gradients import NoClosedForm as NoClosedForm
from .expand_gradients import expand_gradients as expand_gradients
