"""Definitions that emitted source contains where PyTorch has no equivalent.

The text of a definition is copied to each emitted file that uses it; netc does not import these files. Always: a definition needs only
imports of an emitted file, its lines fit there, and two empty lines separate it from the next one. Imports of other files of this folder
are for type checkers, and are not part of an emitted file.
"""
