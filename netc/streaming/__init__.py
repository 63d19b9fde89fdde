"""Streams for users: models that take their sequence in pieces, in PyTorch, in ONNX Runtime and in onnxruntime-genai."""
