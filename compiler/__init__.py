"""Syntax tree to graph to artefacts."""
