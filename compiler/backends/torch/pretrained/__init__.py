"""Writes a model as classes of transformers: a configuration, a base model, and a model with a head."""
