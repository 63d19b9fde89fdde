"""Metamorphic tests: a spec and an equal text in another form give the same artifacts.

`text.py` has a spec's text with its syntax tree, and edits of it. `values.py`, `blocks.py`, `stages.py` and `files.py` have the relations:
functions from a text to an equal one. `artifacts.py` compares all that netc makes of the two. `programs.py` writes random specs, and
`tests/fuzz/forms.py` runs all of it on many: `make fuzz-specs`.

To add a relation, write a function `(ParsedText, Random) -> Form | None` and add it to `RELATIONS` of its module. To add an artifact, write
a function `(Pair, Random) -> None` that raises AssertionError, and add it to `ARTIFACTS`.
"""
