"""Definitions of layers and functions that MLX lacks, or has with other names and layouts.

The text of a definition is copied to each emitted file that uses it. Always: netc imports none of these files, so that it needs no MLX. A
definition ends two empty lines before the next one, and its lines fit into an emitted file. Imports of other files are for type checkers,
and are not part of an emitted file.
"""
