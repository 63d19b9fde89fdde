"""Quantizes models to integers of few bits with `onnxruntime.quantization`."""
