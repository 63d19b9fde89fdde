"""Ways into the typed graph other than text: PyTorch modules and ONNX files."""
