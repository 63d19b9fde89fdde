"""Modules within modules: containers, labels with several levels, functions as modules, ties."""
