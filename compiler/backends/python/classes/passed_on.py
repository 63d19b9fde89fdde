"""Finds the arguments that constructors pass on to the modules that they make, such as a generator of random numbers.

In: the body of a class. Out: the arguments that its constructor takes because a module in it does: Flax's `rngs`. Always: a class whose
members need none takes none. The framework has an annotation for each.
"""

from __future__ import annotations

from netc.dsl.trees import walk_tree

from ..code.class_tree import PassedOn
from ..code.classes import ClassBody
from ..code.python_expressions import KeywordCode


def find_passed_arguments(body: ClassBody) -> list[PassedOn]:
    """Return the arguments, each once."""
    return list(dict.fromkeys(part for code in body.list_constructor_code() for part in walk_tree(code) if isinstance(part, PassedOn)))


def make_passed_keywords(body: ClassBody) -> tuple[KeywordCode, ...]:
    """Make the keywords that pass them to the constructor of the body's class."""
    return tuple(KeywordCode(argument.text, argument) for argument in find_passed_arguments(body))
