"""Writes a program as Python source.

In: a checked `Program`, a framework and its emitters. Out: text that imports only the framework, the standard library and modules of
plugins, with the class of the model last. Always: the same program gives the same text, and the framework is not imported to make it.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from netc.dsl.record import Record, replace

from ...errors.target_errors import SourceUnsupported
from ...ir.graph import Graph, OpNode, Program
from ...ir.walk import collect_graphs
from .build_classes import build_classes, find_used_definitions
from .classes.channel_axes import ChannelAxes
from .classes.classnames import choose_main_name
from .classes.docs import write_docstring
from .classes.flags import make_flags
from .code.classes import ClassBody, ClassDef
from .code.framework import Framework
from .constructor.constructor_method import write_constructor
from .constructor.member_access import MemberAccess, choose_attribute_names
from .emitters import Emitters
from .forward.method import write_forward
from .forward.signature import ForwardSignature
from .lowering import lower_program
from .method_functions import write_method_as_function
from .modules.scanned_layers import scan_equal_layers
from .printing.spec_comments import escape_comment
from .unsupported_python import LackingWord, TakenLabel, UnsupportedInPython

_STANDARD = {
    r"\bbase64\.": "import base64",
    r"\bitertools\.": "import itertools",
    r"\bmath\.": "import math",
    r"\bstruct\.": "import struct",
    r"\bzlib\.": "import zlib",
    r"\bOrderedDict\(": "from collections import OrderedDict",
    r"\bCallable\[": "from collections.abc import Callable",
    r"\bIterable\[": "from collections.abc import Iterable",
    r"\bMapping\[": "from collections.abc import Mapping",
    r"\bSequence\[": "from collections.abc import Sequence",
    r"\bfnmatchcase\b": "from fnmatch import fnmatchcase",
    r"\bpartial\(": "from functools import partial",
    r"\bwraps\(": "from functools import wraps",
    r"(?:[:,[]|->) ?Any\b": "from typing import Any",
}
"""The imports from the standard library, by the pattern in the text that needs them."""


class Parts(Record):
    """The parts of a file: the definitions that its classes use, the texts of the classes or functions, the name of the last one, and the
    modules of plugins that are imported. `arguments`: the parameters of the last class, or those that a function reads as constants.
    `classes`: the names of the classes."""

    definitions: tuple[str, ...]
    texts: tuple[str, ...]
    main: str
    outside: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


class SourceWriter:
    """Writes programs for one framework. `name` is the spec's, for a program that comes from no file. `scans_layers`: equal layers are one
    module, `Containers.scanned`."""

    def __init__(self, framework: Framework, emitters: Emitters, *, scans_layers: bool = False) -> None:
        self.framework, self.emitters, self.scans_layers = framework, emitters, scans_layers

    def write_source(self, program: Program, name: str) -> str:
        """Return the module's text."""
        return self.write_source_and_name(program, name)[0]

    def write_source_and_name(self, program: Program, name: str) -> tuple[str, str]:
        """Return the module's text, and the name of the model's class in it. The program keeps both, because a caller who wants the module
        often wants its source as well."""
        known: dict[tuple[SourceWriter, str], tuple[str, str]] = program.derived.setdefault(SourceWriter, {})
        if (self, name) not in known:
            parts = self.write_parts(program, name)
            text = "\n\n\n".join([*parts.definitions, *parts.texts])
            known[self, name] = self.write_file(program, name, text, parts.outside), parts.main
        return known[self, name]

    def write_parts(self, program: Program, name: str, used_names: frozenset[str] = frozenset()) -> Parts:
        """Write the classes of a program, the model's last. `used_names`: names that no class has."""
        with self._lower_program(program) as main:
            classes = self._build_classes(main, program, name, used_names)
            # Functions that became modules have classes, but their graphs are in no graph of the program.
            known = {id(graph) for graph in collect_graphs(main)}
            channels = ChannelAxes(main, [graph for cls in classes for graph in cls.graphs if id(graph) not in known])
            texts = tuple("\n".join(write_class(c, channels)) for c in classes)
        arguments = tuple(argument.name for argument in classes[-1].parameters)
        names = tuple(cls.name for cls in classes)
        return Parts(self._list_definitions(classes), texts, names[-1], tuple(self._list_plugin_modules(program)), arguments, names)

    def write_function(self, program: Program, name: str, doc: str, constants: Mapping[str, str] | None = None) -> Parts | None:
        """Write a program as a function of its inputs. None if it needs a module, for parameters, constants or the mode. `constants`: the
        constants of the file that are arguments of the program, by the names of the arguments."""
        constants = constants or {}
        with self._lower_program(program) as main:
            classes = self._build_classes(main, program, name, frozenset(constants.values()))
            body = classes[-1].body
            stored = [argument.name for argument in classes[-1].all_arguments if argument.stored]
            if len(classes) > 1 or body.members or body.chain is not None or not constants.keys() >= {*stored}:
                return None
            attributes = {argument: constants[argument] for argument in stored}
            lines = textwrap.dedent("\n".join(write_forward(body, attributes, MemberAccess(body).format_access))).split("\n")
        text = re.sub(rf"^def {self.framework.method}\((\s*)self,\s+", rf"def {name}(\1", "\n".join(lines), count=1)
        text = text.replace(":\n", f':\n    """{doc}"""\n', 1)
        for constant in attributes.values():
            text = re.sub(rf"\bself\.{constant}\b", constant, text)
        # Members are excluded above, but a branch on the mode still reads it from the object.
        if re.search(r"\bself\b", text):
            return None
        return Parts(self._list_definitions(classes), (text,), name, tuple(self._list_plugin_modules(program)), tuple(stored))

    def write_part(self, program: Program, part: Program, name: str, doc: str) -> Parts | None:
        """Write a part of a model as a function of the model's module, `model`, and of the part's inputs. None if the part needs an
        attribute that the class of the model does not set in the same way."""
        # Without what a framework's writer adds after the class of the model.
        full, own = SourceWriter.write_parts(self, program, name), SourceWriter.write_parts(self, part, name)
        if not ({*own.texts[:-1]} <= {*full.texts[:-1]} and {*own.definitions} <= {*full.definitions}):
            return None
        receiver = f"model: {self.framework.module}"
        text = write_method_as_function(own.texts[-1], full.texts[-1], self.framework.method, name, receiver, doc)
        return None if text is None else Parts(own.definitions, (text,), name, own.outside)

    def write_file(self, program: Program, name: str, text: str, outside: Sequence[str] = (), imports: Sequence[str] = ()) -> str:
        """Write a file with its header and imports: the framework's as far as the text uses them, and `imports`, further lines for the
        standard library and packages."""
        # A line break in a file name would end the comment, and the rest of the name would be code.
        header = f"# Generated by netc from {escape_comment(get_spec_name(program, name))}"
        return "\n".join([header, "", *self._list_imports(text, outside, imports), "", "", text, ""])

    def build_classes(self, program: Program, name: str, used_names: frozenset[str] = frozenset()) -> list[ClassDef]:
        """Return the classes of `write_source(program, name)`, the model's last. `used_names`: names that no class has."""
        with self._lower_program(program) as main:
            return self._build_classes(main, program, name, used_names)

    def _build_classes(self, main: Graph, program: Program, name: str, used_names: frozenset[str] = frozenset()) -> list[ClassDef]:
        """Build the classes of a main graph that is ready to be written."""
        return self._build_and_scan(main, program, name, used_names)[0]

    def _build_and_scan(
        self, main: Graph, program: Program, name: str, used_names: frozenset[str] = frozenset()
    ) -> tuple[list[ClassDef], tuple[str, ...]]:
        """Build the classes. Return them, and notes on layers that are not scanned."""
        framework = self._reserve_names({*used_names, *self._list_plugin_names(program)})
        classes = build_classes(main, program.facts, get_file_stem(name), framework, self.emitters)
        return classes, scan_equal_layers(classes) if self.scans_layers else ()

    def list_loops(self, program: Program, name: str) -> tuple[str, ...]:
        """Return a sentence for each list of layers in `write_source(program, name)` that is a loop, although equal layers are scanned."""
        with self._lower_program(program) as main:
            return self._build_and_scan(main, program, name)[1]

    @contextmanager
    def _lower_program(self, program: Program) -> Iterator[Graph]:
        """Lower the program and yield its main graph. Code that cannot be written is reported at its stage in the text."""
        main = lower_program(program, self.emitters.has_kernel, self._reserve_names(self._list_plugin_names(program)))
        try:
            yield main
        except TakenLabel as error:
            raise error.locate_stage(main, self.framework.title) from None
        except LackingWord as error:
            problem = SourceUnsupported(str(error), self.framework.title, "the framework has no word for it")
            raise UnsupportedInPython(problem, main) from None
        except UnsupportedInPython as error:
            error.locate_stage(main)
            raise

    def choose_class_name(self, program: Program, name: str) -> str:
        """Return the name of the model's class in `write_source(program, name)`, without writing the source."""
        return choose_main_name(program.main.name or get_file_stem(name), self._reserve_names(self._list_plugin_names(program)))

    def _list_definitions(self, classes: list[ClassDef]) -> tuple[str, ...]:
        return tuple(self.framework.definitions[name] for name in find_used_definitions(classes, self.framework))

    def _list_plugin_modules(self, program: Program) -> list[str]:
        """List the modules of plugins that have operators of the program."""
        nodes = (node for graph in collect_graphs(program.main) for node in graph.nodes if isinstance(node, OpNode))
        imports = self.emitters.imports
        return sorted({imports[type(node.op)] for node in nodes if type(node.op) in imports})

    def _list_plugin_names(self, program: Program) -> set[str]:
        """List the names that imports of plugins define."""
        return {module.partition(".")[0] for module in self._list_plugin_modules(program)}

    def _reserve_names(self, names: Iterable[str]) -> Framework:
        """Return the framework with further names that a file imports or defines."""
        return replace(self.framework, imported=self.framework.imported | frozenset(names))

    def _list_imports(self, text: str, outside: Sequence[str], others: Sequence[str]) -> list[str]:
        # The lines are found by patterns in the text, so a file never imports a module that it does not use.
        imports = {line for pattern, line in _STANDARD.items() if re.search(pattern, text)}
        packages = [line for line in others if not _is_standard(line)]
        standard = _merge_imports({*imports, *others}.difference(packages))
        lines = [line for line in packages if line.startswith("import")]
        lines += [line for pattern, line in self.framework.imports if re.search(pattern, text)]
        lines += sorted(line for line in packages if line.startswith("from"))
        plugins = ["", *(f"import {module}" for module in outside)] if outside else []
        return [*standard, "", *lines, *plugins] if standard else [*lines, *plugins]


def _is_standard(line: str) -> bool:
    """Whether a line imports from the standard library.

    >>> _is_standard("from collections.abc import Iterator"), _is_standard("import numpy as np")
    (True, False)
    """
    return line.split()[1].partition(".")[0] in sys.stdlib_module_names


def _merge_imports(lines: Iterable[str]) -> list[str]:
    """Sort imports, and merge those from the same module."""
    names: dict[str, set[str]] = {}
    for line in lines:
        head, _, imported = line.partition(" import ")
        names.setdefault(head, set()).update(imported.split(", ") if imported else ())
    merged = [f"{head} import {', '.join(sorted(names[head]))}" if names[head] else head for head in names]
    # As isort orders them: `import` lines first.
    return sorted(merged, key=lambda line: (line.startswith("from"), line))


def get_spec_name(program: Program, name: str) -> str:
    """Return the name of the spec in the header: its file, if it has one."""
    file_name = re.split(r"[/\\]", program.main.span.file.name)[-1]
    return name if file_name.startswith("<") or not file_name else file_name


def get_file_stem(name: str) -> str:
    """The file's name without folders and suffix."""
    return re.sub(r"\.[^.]*$", "", re.split(r"[/\\]", name)[-1]) or "model"


def write_class(cls: ClassDef, channels: ChannelAxes) -> list[str]:
    body = cls.body
    attributes = choose_attribute_names(body, [p.name for p in cls.all_arguments if p.stored])
    lines = [f"class {cls.name}({_choose_base_class(body)}):", *write_docstring(cls, ForwardSignature(body, []).inputs, channels), ""]
    access = MemberAccess(body).format_access
    labels = {m.label for m in body.members}
    expressions, kept = make_flags(body, attributes, labels | set(attributes.values()) | body.framework.attributes, access)
    constructor = write_constructor(cls, attributes, kept)
    if body.chain is not None:
        return lines + constructor
    if constructor:
        constructor = [*constructor, ""]
    decorators = [f"    @{name}" for name in body.decorators]
    method = write_forward(body, attributes, access, expressions)
    return [*lines, *_start_mode(body, method), *constructor, *decorators, *method]


def _start_mode(body: ClassBody, method: list[str]) -> list[str]:
    """Write the attribute for the mode, if the method reads it and modules of the framework do not have it."""
    framework = body.framework
    attribute = framework.starts_mode.partition(" ")[0]
    reads_mode = bool(attribute) and any(f"self.{attribute}" in line for line in method)
    return [f"    {framework.starts_mode}", ""] if reads_mode else []


def _choose_base_class(body: ClassBody) -> str:
    containers = body.framework.containers
    if body.base_class:
        return body.base_class
    if body.chain is not None:
        return containers.row
    if body.keyed:
        return containers.list_class if body.is_list else containers.dict_class
    return body.framework.module
