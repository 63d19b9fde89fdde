"""Emitters for ONNX, one file for each family of operators. A family is imported when one of its emitters is needed
(`onnx_emitters.py`)."""
