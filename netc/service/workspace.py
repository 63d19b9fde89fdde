"""The workspace: texts that are open in an editor, and the files on disk that they use.

In: paths, and the texts of the open ones. Out: a `CheckedText` for each, the same object until its text, or the text of a file that it
uses, changes. Always: an open text replaces its file, also for texts that use it.

    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "input 3 -> dens 4")
    >>> checked = workspace.check_text("/a.net")
    >>> [problem.message for problem in checked.collect_diagnostics()], workspace.check_text("/a.net") is checked
    (['unknown operator or block `dens`'], True)
"""

from __future__ import annotations

import os
import site

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.grammar import load_tables
from netc.dsl.lexer import Token, lex_text
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

from ..files.file_access import is_within, open_regular
from ..files.package_data import find_data_folder
from ..files.source_files import Unreadable, read_file
from ..files.spec_loader import SpecLoader
from .checked_text import CheckedText, CheckMemory, FileStamp, Parsed

_OWN_SPECS = os.path.realpath(find_data_folder("specs", "specs"))
"""The folder of the specs that are part of netc, with the standard library."""


class Workspace:
    """The open texts and their check results. `allowed` are folders that `use` may read in addition to a text's own folder."""

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        self.allowed = allowed
        self._open: dict[str, str] = {}
        self._links: dict[str, str] = {}
        """The paths of the open texts, each with its real path when it was last used: a link may lead elsewhere later."""
        self._checked: dict[str, CheckedText] = {}
        self._parsed: dict[str, tuple[FileStamp, Parsed]] = {}
        self._models: dict[str, str] = {}
        self._pasts: dict[str, CheckMemory] = {}
        self._trials: Workspace | None = None

    def find_memory(self, real: str) -> CheckMemory:
        """Return the results that earlier checks of a text have left."""
        return self._pasts.setdefault(real, CheckMemory())

    def open_text(self, path: str, text: str) -> None:
        """Open a text, or change it. From now on it replaces the content of the file at `path`."""
        self.follow_links()
        self._links[path] = os.path.realpath(path)
        self._open[self._links[path]] = text

    def follow_links(self) -> None:
        """Move the open texts whose paths lead to other files than before, such as a link that was replaced by a file."""
        for path, before in self._links.items():
            real = self._links[path] = os.path.realpath(path)
            if real != before and before in self._open:
                is_shared = before in self._links.values()
                self._open[real] = self._open[before] if is_shared else self._open.pop(before)

    def close_text(self, path: str) -> None:
        """Close a text. From now on the content of the file counts again."""
        self.follow_links()
        real = os.path.realpath(path)
        self._links.pop(path, None)
        self._open.pop(real, None)
        self._checked.pop(real, None)
        self._pasts.pop(real, None)
        if self._trials is not None:
            self._trials.close_text(path)

    def copy_texts(self) -> Workspace:
        """Copy the open texts into another workspace, to try changes."""
        other = Workspace(self.allowed)
        other._open, other._models = dict(self._open), dict(self._models)
        return other

    def check_trial(self, real: str, text: str) -> CheckedText | None:
        """Check a text with other content, without changing this workspace."""
        # In a workspace of its own: the nodes of a corrected text must not replace the real text's nodes in the memory.
        if self._trials is None:
            self._trials = Workspace(self.allowed)
        self._trials._open, self._trials._models = {**self._open, real: text}, dict(self._models)
        return self._trials.check_text(real)

    def may_change(self, path: str) -> bool:
        """Whether a file belongs to the user: it is neither part of netc nor in an installed package."""
        return path in self._open or not is_within(path, [_OWN_SPECS, *(os.path.realpath(folder) for folder in site.getsitepackages())])

    @property
    def open_paths(self) -> tuple[str, ...]:
        """The real paths of the open texts."""
        return tuple(self._open)

    def choose_model(self, path: str, model: str | None) -> None:
        """Choose the model whose shapes a text shows; None for the model that netc chooses."""
        real = os.path.realpath(path)
        self._models.pop(real, None)
        if model is not None:
            self._models[real] = model
        self._checked.pop(real, None)

    def check_text(self, path: str) -> CheckedText | None:
        """Check a text, or return the last result if no file that it depends on has changed. None if the text cannot be read."""
        real = os.path.realpath(path)
        known = self._checked.get(real)
        if known is not None and not self.is_stale(real):
            return known
        try:
            parsed = self.parse_text(real)
        except Unreadable:
            return None
        new = self._checked[real] = CheckedText(self, real, parsed, self._models.get(real), known)
        return new

    def is_stale(self, real: str) -> bool:
        """Whether a text has not been checked yet, or it or a file that it uses has changed since."""
        known = self._checked.get(real)
        return known is None or any(self.read_stamp(used) != stamp for used, stamp in known.stamps.items())

    def parse_text(self, real: str) -> Parsed:
        """Parse a text. Raises `Unreadable`."""
        stamp = self.read_stamp(real)
        known = self._parsed.get(real)
        if known is not None and known[0] == stamp:
            return known[1]
        new = _parse_file(self.read_source(real, real))
        self._parsed[real] = (stamp, new)
        return new

    def parse_used(self, source: SourceFile) -> tuple[ast.File, list[Diagnostic]]:
        """Return the tree of a file that a text uses, as `dsl.parser.parse_source` does, but parse each content only once."""
        known = self._parsed.get(source.name)
        if known is None or known[1].source is not source:
            return parse_source(source)
        return known[1].file, list(known[1].problems)

    def read_source(self, real: str, name: str) -> SourceFile:
        """Read the text at a path, which may be open. Raises `Unreadable`."""
        text = self._open.get(real)
        return read_file(real, name, open_regular) if text is None else SourceFile(name, text)

    def read_text(self, real: str) -> str:
        """Read the text at a path; empty if it cannot be read."""
        try:
            return self.read_source(real, real).text
        except Unreadable:
            return ""

    def read_stamp(self, real: str) -> FileStamp:
        """Read the stamp that tells whether the text at a path has changed."""
        text = self._open.get(real)
        if text is not None:
            return text
        try:
            state = os.stat(real)
        except (OSError, ValueError):
            return None
        return state.st_mtime_ns, state.st_size

    def make_loader(self, source: SourceFile, real: str) -> OpenLoader:
        """Make the loader of the files that a text uses."""
        return OpenLoader(self, source, real)


class OpenLoader(SpecLoader):
    """Finds the files of `use` as the command line does, but reads an open text instead of its file. `stamps` has a stamp for each path
    that it has looked up."""

    def __init__(self, workspace: Workspace, main: SourceFile, real: str) -> None:
        super().__init__(main, real, workspace.allowed)
        self._workspace = workspace
        self.stamps: dict[str, FileStamp] = {real: workspace.read_stamp(real)}

    def read_source(self, real: str, name: str) -> SourceFile:
        # The stamp is read first: if the file changes in between, the next check notices.
        self.stamps[real] = self._workspace.read_stamp(real)
        return self._workspace.parse_text(real).source

    def read_bytes(self, real: str, name: str) -> bytes:
        self.stamps[real] = self._workspace.read_stamp(real)
        return super().read_bytes(real, name)


def _parse_file(source: SourceFile) -> Parsed:
    file: ast.File
    problems: list[Diagnostic]
    tokens, comments = lex_text(source.text, load_tables())
    file, problems = parse_source(
        source, [Token(token.type, token.text, token.start, token.end) for token in tokens]
    )  # copies, because the parser's layout changes tokens
    return Parsed(source, tuple(tokens), tuple(comments), file, tuple(problems))
