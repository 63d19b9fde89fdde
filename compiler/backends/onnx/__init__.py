"""Graph to ONNX, straight: no tracing, no torch."""

from .model import model_proto

__all__ = ["model_proto"]
