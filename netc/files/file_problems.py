"""The errors of files that cannot be read, and of files without a model.

>>> MissingFile("models.net", ("model.net",)).format_help()
('did you mean `model.net`?',)
"""

from __future__ import annotations

import re
from typing import ClassVar

from netc.compiler.errors.problem import Problem
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.source import Span

_SETTING = re.compile(r"[A-Za-z_]\w*=[^/]*")


def make_diagnostic(problem: Problem, span: Span, notes: tuple[str, ...] = ()) -> Diagnostic:
    """Return the problem as a diagnostic at a span, with further notes."""
    p = problem
    return Diagnostic(
        p.severity, p.code, p.format_message(), span, p.format_label(), notes=(*p.format_notes(), *notes), help=p.format_help()
    )


class FileProblem(Problem):
    """A file that cannot be read. `explain_reason` completes the sentences "cannot read `path`: ..." and "cannot use `path`: ..."."""

    path: str

    def explain_reason(self) -> str:
        raise NotImplementedError

    def format_message(self) -> str:
        return f"cannot read `{self.path}`: {self.explain_reason()}"


class MissingFile(FileProblem):
    """A path without a file. `near` are similar paths in the same directory."""

    code: ClassVar[str] = "missing-file"
    near: tuple[str, ...] = ()

    def explain_reason(self) -> str:
        return "there is no such file"

    def format_help(self) -> tuple[str, ...]:
        from shlex import quote

        from .published_specs import find_published, find_similar_published

        # `netc compile x.net width=8` takes the setting for a file
        if _SETTING.fullmatch(self.path) is not None:
            return (f"to set a parameter of the model, write `--set {quote(self.path)}`",)
        if self.path.isidentifier() and find_published(self.path) is not None:
            python = f"in Python, `netc.zoo({self.path!r})` is the model"
            return (f"`{self.path}` is part of netc: `netc zoo {self.path}` prints it; {python}",)
        near = (*self.near, *(name for name in find_similar_published(self.path) if name not in self.near))
        return ("did you mean " + " or ".join(f"`{n}`" for n in near) + "?",) if near else ()


class NotAFile(FileProblem):
    code: ClassVar[str] = "not-a-file"

    def explain_reason(self) -> str:
        return "it is a directory"


class UnreadableFile(FileProblem):
    """A file that the operating system does not let netc read. `reason` is its message: `permission denied`."""

    code: ClassVar[str] = "unreadable-file"
    reason: str

    def explain_reason(self) -> str:
        return self.reason


class FileTooLarge(FileProblem):
    code: ClassVar[str] = "file-too-large"
    limit: int

    def explain_reason(self) -> str:
        return f"it is larger than {self.limit >> 20} MiB"

    def format_help(self) -> tuple[str, ...]:
        return ("write repeated layers once, with `repeat`",)


_WEIGHT_SUFFIXES = (".bin", ".ckpt", ".npz", ".pt", ".pth", ".safetensors")


class BinaryFile(FileProblem):
    code: ClassVar[str] = "binary-file"

    def explain_reason(self) -> str:
        return "it is a binary file, not text"

    def format_help(self) -> tuple[str, ...]:
        if not self.path.endswith(_WEIGHT_SUFFIXES):
            return ()
        return (f"weights go with a spec, which describes the network: `netc check FILE.net --weights {self.path}`",)


class CannotImport(FileProblem):
    """A model that has no counterpart in the language. `obstacles` are sentences that name each missing part and its place."""

    code: ClassVar[str] = "cannot-import"
    obstacles: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"cannot import `{self.path}`"

    def format_notes(self) -> tuple[str, ...]:
        more = len(self.obstacles) - _MAX_OBSTACLES
        return (*self.obstacles[:_MAX_OBSTACLES], *([f"and {more} more"] if more > 0 else []))


_MAX_OBSTACLES = 20


class NotUtf8(FileProblem):
    code: ClassVar[str] = "not-utf8"
    byte: int
    offset: int

    def explain_reason(self) -> str:
        return "it is not UTF-8"

    def format_label(self) -> str:
        return f"the byte 0x{self.byte:02x}, at offset {self.offset}"

    def format_help(self) -> tuple[str, ...]:
        return ("save the file as UTF-8",)


class NoModel(Problem):
    code: ClassVar[str] = "no-model"
    path: str

    def format_message(self) -> str:
        return f"there is no model in `{self.path}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("it only defines what other files can `use`",)

    def format_help(self) -> tuple[str, ...]:
        return ("end it with a pipeline, such as `input 3 -> dense 2`, or compile a file that uses it",)
