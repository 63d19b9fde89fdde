"""The constructors of classes."""
