"""Modules within modules: containers, labels with several levels, functions as modules, and ties."""
