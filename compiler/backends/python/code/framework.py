"""The record by which a backend describes its framework to the writer of Python.

In: nothing; a backend provides its `Framework`. Out: reserved names, the texts of types and sizes, and the code that makes containers of
modules and registers members. Always: plain data and code; nothing here imports a framework.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from keyword import iskeyword
from typing import Any, Literal, NoReturn

from netc.dsl.record import Record

from ....ops.operator import Operator
from .. import identifiers
from ..unsupported_python import LackingWord
from .python_expressions import Code

Pairs = Sequence[tuple[str, Code]]
"""Members with their keys."""


class Containers(Record):
    """Modules that contain others.

    `row` is the class that calls its members one after the other, and `named` makes such a row with a key for each member. `listed` and
    `keyed` make containers from which the method takes members by number or by key, `parameters` a container of parameters by key.
    `list_class` and `dict_class` are the classes of `listed` and `keyed`. `scanned` is the class that calls equal layers one after the
    other as one loop, with their tensors stacked. It is empty if the framework has no such loop.
    """

    row: str
    list_class: str
    dict_class: str
    named: Callable[[Pairs], Code]
    listed: Callable[[tuple[Code, ...]], Code]
    keyed: Callable[[Pairs], Code]
    parameters: Callable[[Pairs], Code]
    scanned: str = ""


MemberKind = Literal["module", "parameter", "buffer", "transient"]
"""The kinds of members. A transient member is a buffer that is not part of the state dict."""


def _refuse_word(what: str) -> Callable[..., Any]:
    """Return a function that refuses a model because the framework has no `what`. Other code would compute something else."""

    def refuse(*parts: Code) -> NoReturn:
        raise LackingWord(what)

    return refuse


class Registration(Record):
    """How a constructor registers the members of a class. A framework may leave out the words with a default.

    `wrap_value(kind, code, trained)` is the value of an attribute: `keras.Variable(zeros)` for a parameter.
    `register(label, kind, code)` is the statement that registers a member, or None where an assignment does.
    `by_label(module, label, kind)` is the place of a member whose label is no attribute name, such as `0`.
    `forget(module, label)` is the statement that keeps a constant under such a label out of the state dict.
    `freeze(module)` is a module whose parameters are not trained.
    `norms(parameter, source)` are the target and the value of the assignment by which a parameter starts as the norms of the rows of
    another one.
    `start_buffers(module, parameter)` is the statement that computes the buffers of a module from the first value of a parameter.
    `tie(target, source)` is the statement by which a parameter becomes another one, where an assignment does not make them one.
    `hold_frozen(label, code)` is the statement that registers a parameter that is not trained, where `wrap_value` cannot.
    `calls_base` says whether each constructor calls the constructor of its base class.
    """

    wrap_value: Callable[[MemberKind, Code, bool], Code]
    register: Callable[[str, MemberKind, Code], Code | None]
    by_label: Callable[[Code, str, MemberKind], Code] = _refuse_word("a label that is no attribute name")
    forget: Callable[[Code, str], Code] = _refuse_word("a constant under a label that is no attribute name")
    freeze: Callable[[Code], Code] = _refuse_word("a module whose parameters are not trained")
    norms: Callable[[Code, Code], tuple[Code, Code]] = _refuse_word("a parameter that starts as the norms of another one")
    start_buffers: Callable[[Code, Code], Code] = _refuse_word("a module that starts from a parameter")
    tie: Callable[[Code, Code], Code] | None = None
    hold_frozen: Callable[[str, Code], Code] | None = None
    calls_base: bool = True


class Widths(Record):
    """The framework's words for numbers of channels and features. `words` matches the names of arguments that are such numbers."""

    words: re.Pattern[str]
    in_channels: str
    in_features: str
    out_channels: str
    out_features: str


class Framework(Record):
    """`title`: the name of the framework, as messages write it. `method`: the method that computes; `tensor` and `module`: annotations of
    what it takes, of which `module` is also the base of classes; `shape`: the text of a tensor's shape; `training`: whether a module is
    in training; `all_modules`: a module and all modules in it, to be iterated over.

    `imports`: the lines that an emitted file has if its text matches the pattern, in their order. `imported`: the names that they may
    define; no variable has them. `attributes`: the names that every module has, and `container_attributes`: those that containers have in
    addition; no member has them. `definitions`: what emitted files define for themselves, by name. `by_path`: how a module reaches
    another in it that is several levels below. `identity` is the module that never does anything. `unstack`: what a tensor is at each
    position of an axis, to be iterated over; `stack`: the tensor made of a list of those. `passed_on`: the arguments that a constructor
    passes on to what it makes, if any of that takes them, with their annotations. `differentiating`: the decorator of a method that
    computes gradients. `scan`: the function that runs a function of a state and a slice along the first axes of tensors; without one, a
    scan is a loop. `place_first`: a result of it, whose first axis moves to another place. `changes_state`: whether an operator's module
    changes when it is called, which the function must not do. `starts_mode`: the statement in a class that reads the mode, where modules
    have none by themselves. `keywords`: the inputs of a graph that are not tensors but keyword arguments (`**kwargs`), by name, with their
    annotations. `initializer`: the method that draws the first values of parameters, where the constructor does not.
    """

    title: str
    imports: tuple[tuple[str, str], ...]
    imported: frozenset[str]
    attributes: frozenset[str]
    container_attributes: frozenset[str]
    definitions: Mapping[str, str]
    method: str
    tensor: str
    module: str
    shape: str
    training: str
    all_modules: str
    containers: Containers
    registration: Registration
    by_path: Callable[[Code, str], Code]
    widths: Widths
    identity: str
    unstack: Callable[[Code, int], Code]
    stack: Callable[[Code, int], Code]
    passed_on: Mapping[str, str] = {}
    differentiating: str = ""
    scan: str = ""
    place_first: Callable[[Code, int], Code] = lambda tensor, axis: tensor
    changes_state: Callable[[Operator], bool] = lambda op: False
    starts_mode: str = ""
    keywords: Mapping[str, str] = {}
    initializer: str = ""

    def make_variable_name(self, name: str) -> str:
        """`name` as a variable."""
        return identifiers.make_variable_name(name, self.imported)

    def is_attribute_name(self, label: str) -> bool:
        """Whether `self.<label> = ...` can be used to register a member."""
        return label.isidentifier() and not iskeyword(label) and not label.startswith("__") and label not in self.attributes

    def is_key(self, label: str) -> bool:
        """Whether a container with keys can have a member with the label."""
        is_reserved = label.startswith("__") or label in self.attributes or label in self.container_attributes
        return not is_reserved and "." not in label
