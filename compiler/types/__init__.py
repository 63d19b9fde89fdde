"""Types of tensors, their counterparts in NumPy, and integers that record how they are computed from parameters and sizes.

The graph (`ir`) and the operators (`ops`) both need them, so they are below both.

    tensor_types.py    element types and shapes
    numpy_types.py     arrays and tensors of these types
    traced_ints.py     integers with formulas, and decisions on them

    >>> from .tensor_types import DTYPES, TensorType
    >>> TensorType(DTYPES["bfloat16"], (2, 3))
    TensorType(bfloat16 [2, 3])
"""
