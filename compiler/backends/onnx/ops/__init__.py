"""The emitters, one file a family, as the operators. A family is imported when one of its emitters is asked for (`onnx_emitters.py`)."""
