"""Knows which nodes of an ONNX model have a kernel on a device, without the device.

In: a model that netc has written. Out: the nodes that the device lacks. Always: the facts are tables, `*_kernels.json` and
`*_operators.json`, each with its source and version. `tests/kernel_pages` writes the tables.
"""
