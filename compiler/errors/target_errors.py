"""Errors of targets: parts of a graph that a target cannot express.

The program is valid, and a backend finds a stage for which PyTorch, ONNX or the netc language has no form.

>>> OnnxUnsupported("ctc_loss", "ONNX has no such operator").format_message()
'`ctc_loss` cannot be exported to ONNX here: ONNX has no such operator'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..types.tensor_types import BATCH
from .optional_packages import format_install_command
from .problem import Problem

if TYPE_CHECKING:
    from netc.dsl.source import Span


class UnsupportedByTarget(Exception):
    """A checked program that the target cannot express. `problem` is the reason, and `span` the stage, once it is known. `within` has the
    operators whose definitions contain the stage, innermost first. If there are any, `span` is the stage of the outermost one."""

    def __init__(self, problem: Problem, span: Span | None = None) -> None:
        self.problem = problem
        self.span = span
        self.within: list[str] = []
        super().__init__(problem.format_message())

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on where the stage is, if it is not in the text."""
        return tuple(f"it is part of the definition of `{name}`" for name in self.within)


class SpecUnsupported(Problem):
    """Something in a graph that is not written as text yet. `what` is a noun: `a loop at run time`."""

    code: ClassVar[str] = "spec-unsupported"
    what: str

    def format_message(self) -> str:
        return f"{self.what} cannot be written as a spec"


class OnnxUnsupported(Problem):
    """A use of an operator that ONNX cannot express. `reason` is a clause: `its recurrence must start from a state`."""

    code: ClassVar[str] = "onnx-unsupported"
    operator: str
    reason: str

    def format_message(self) -> str:
        return f"`{self.operator}` cannot be exported to ONNX here: {self.reason}"


class RuntimeUnsupported(Problem):
    """A stage that a runtime cannot run, or computes wrong. `what` is the stage, or `the model`. `reason` is a clause about the runtime:
    `it has no float64`. `advice` says what to do."""

    code: ClassVar[str] = "runtime-unsupported"
    what: str
    runtime: str
    reason: str
    advice: str = ""

    def format_message(self) -> str:
        return f"{self.what} cannot run in {self.runtime}: {self.reason}"

    def format_help(self) -> tuple[str, ...]:
        return (self.advice,) if self.advice else ()


class SourceUnsupported(Problem):
    """A use of a stage that a Python framework cannot express. `what` is the stage, or a noun such as ``a label that is no name``. `reason`
    is a clause; `advice` says what to write instead."""

    code: ClassVar[str] = "source-unsupported"
    what: str
    framework: str
    reason: str
    advice: str = ""

    def format_message(self) -> str:
        return f"{self.what} cannot be written in {self.framework} here: {self.reason}"

    def format_help(self) -> tuple[str, ...]:
        return (self.advice,) if self.advice else ()


class PackageNotInstalled(Problem):
    """The emitted source imports a package that is not installed. `module` is the name as in `import`, `target` the source's title.
    `others`: further modules to install with it."""

    code: ClassVar[str] = "package-not-installed"
    module: str
    target: str = "PyTorch"
    others: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"the {self.target} source of the model imports `{self.module}`, which is not installed"

    def format_help(self) -> tuple[str, ...]:
        return (f"run `{format_install_command(self.module, *self.others)}`",)


class ConverterNotInstalled(Problem):
    """The package that writes a format is not installed. `module` is the name as in `import`, `target` the format's title."""

    code: ClassVar[str] = "converter-not-installed"
    module: str
    target: str

    def format_message(self) -> str:
        return f"{self.target} files are written by the package `{self.module}`, which is not installed"

    def format_help(self) -> tuple[str, ...]:
        return (f"run `{format_install_command(self.module)}`",)


class SizeNotFixed(Problem):
    """Symbolic sizes of an input that a format cannot have. `names` are the dimensions; `takes_bounded`: an upper bound is enough."""

    code: ClassVar[str] = "size-not-fixed"
    target: str
    names: tuple[str, ...]
    takes_bounded: bool

    def format_message(self) -> str:
        names, is_one = " and ".join(f"`{name}`" for name in self.names), len(self.names) == 1
        if self.takes_bounded:
            return f"{self.target} needs an upper bound for each symbolic size, and {names} {'has' if is_one else 'have'} none"
        return f"{self.target} needs sizes that are integers, and {names} {'is' if is_one else 'are'} symbolic"

    def format_help(self) -> tuple[str, ...]:
        sizes = {name: 1 if name == BATCH else 128 for name in self.names}
        options = " ".join(f"--dim {name}={size}" for name, size in sizes.items())
        fix = f"fix {'it' if len(self.names) == 1 else 'them'}: `{options}`"
        if not self.takes_bounded:
            return (fix,)
        bounds = " and ".join(f"{name} <= {max(size, 8)}" for name, size in sizes.items())
        return (f"{fix}, or add `where {bounds}` to the input",)


class FormatUnsupported(Problem):
    """A part of a model that a format or its converter does not have. `what` is a stage or a tensor; `reason` is a clause, or the
    converter's own words; `advice` says what to do instead."""

    code: ClassVar[str] = "format-unsupported"
    what: str
    target: str
    reason: str
    advice: str = ""

    def format_message(self) -> str:
        return f"{self.what} cannot be converted to {self.target}: {self.reason}"

    def format_help(self) -> tuple[str, ...]:
        return (self.advice,) if self.advice else ()


class MissingForm(Problem):
    """An operator that a target does not know, and that has no definition for these inputs.

    `target` is a title, such as `PyTorch`. `class_name` is the operator's class if a plugin has it. `decorator` is the function of
    `netc.plugins` that registers its form in the target, if there is one. `is_defined`: it has a definition for other inputs. `module`: it
    has parameters, and needs a module of this class.
    """

    code: ClassVar[str] = "missing-form"
    operator: str
    target: str
    class_name: str = ""
    decorator: str = ""
    is_defined: bool = False
    module: str = ""

    def format_message(self) -> str:
        if self.module:
            return f"`{self.operator}` has parameters, and no {self.target} module that holds them"
        return f"`{self.operator}` has no {self.target} form, and no definition{' for these inputs' if self.is_defined else ''}"

    def format_help(self) -> tuple[str, ...]:
        if not (self.class_name and self.decorator):
            return (f"compile for another target, or register an emitter for `{self.operator}` in this one",)
        register = f"`@{self.decorator}({self.class_name})`"
        if self.module:
            return (f"in its plugin, decorate an `{self.module}` with {register}",)
        define = "let `define` return a text for these inputs" if self.is_defined else f"give `{self.class_name}` a `definition`"
        return (f"in its plugin, {define}, or decorate its {self.target} form with {register}",)
