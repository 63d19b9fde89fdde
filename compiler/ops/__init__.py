"""All operators: one class for each, one file for each family. Asking for an operator imports its family (`operator_registry.py`).

    operator.py, operand.py, argument.py, kinds.py, element_types.py    how a class declares its inputs and arguments
    op_inputs.py, requirements.py, broadcast.py, promotion.py           the tools of type rules
    parametric.py, learned_tensors.py, initializers.py                  learned parameters
    formula.py, formula_bounds.py, formula_values.py                    formulas of tables and conditions
    families.py                                                         the names of the operators in each family

>>> Operator.registry["relu"].__doc__
'`max(x, 0)`.'
"""

from .operator import Operator

__all__ = ["Operator"]
