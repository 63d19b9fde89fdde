"""Lowers operators to the form of an older opset.

In: nodes in the form of the newest opset that netc writes. Out: nodes that the requested opset has: for opset 17, ReduceMean with its axes
as an attribute. Always: `schemas.py` reads from onnx's own schemas what an opset has. Replacements are in one table (`forms.py`). A node
without a replacement is refused, with the lowest opset that has it.

    >>> import netc
    >>> model = netc.compile("input 8 -> gelu").onnx(opset=17)
    >>> "Gelu" in {node.op_type for node in model.graph.node}, model.opset_import[0].version
    (False, 17)
"""
