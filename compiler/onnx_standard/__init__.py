"""The operators of the ONNX standard, which the ONNX backend writes and the ONNX importer reads.

operator_schemas.py     finds the schema of an operator
standard_functions.py   finds the function by which the standard defines an operator
"""
