"""Graph to PyTorch source to live module."""
