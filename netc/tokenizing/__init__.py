"""Tokenizers: from text to token numbers and back."""
