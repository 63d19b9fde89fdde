"""Operators in the form of an opset.

In: nodes in the form of the newest opset that netc writes. Out: nodes that the opset asked for has. Always: what an opset has is read from
onnx's own schemas (`schemas.py`); what replaces the rest is in one table (`forms.py`), and what has no replacement is refused with the
lowest opset that has it.
"""
