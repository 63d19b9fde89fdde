"""Models in integers of few bits, made by `onnxruntime.quantization`."""
