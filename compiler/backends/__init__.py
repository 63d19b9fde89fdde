"""Graphs to artefacts. Backends know operators; operators do not know backends, nor backends each other."""
