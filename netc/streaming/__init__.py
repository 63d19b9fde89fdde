"""Run models on sequences piece by piece, in PyTorch, in ONNX Runtime and in onnxruntime-genai."""
