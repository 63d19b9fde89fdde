"""Text to syntax tree and back. Independent of operators and tensors; reads and writes no model files."""
