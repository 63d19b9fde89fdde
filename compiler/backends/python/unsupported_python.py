"""What the writer of Python cannot write."""

from __future__ import annotations


class MissingEmitter(Exception):
    """This cannot be written: an operator without an emitter, or a use that its emitter has no form for. A bug of netc."""

    def __init__(self, what: object, why: str) -> None:
        super().__init__(f"{what!r} cannot be written: {why}")
        self.what = what


class UnknownSymbol(AssertionError):
    """A number is computed from a symbol that neither its graph nor a graph around it has. This is a bug of netc."""

    def __init__(self, name: str, graph: object) -> None:
        super().__init__(f"{graph} has a number that is computed from {name!r}, which has no value there")
