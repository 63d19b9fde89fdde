"""Text to syntax tree and back. Knows nothing of tensors; reads and writes no model files."""
