"""The server: texts in, answers out.

In: the messages of an editor, on standard input. Out: its answers and the diagnostics, on standard output. Always: the whole text is sent
with every change, so that both sides agree on it; a question is answered from the text as it is at that moment; the models that are not
shown are checked afterwards, between messages.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import PurePath
from urllib.parse import unquote

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer

from netc import __version__
from netc.dsl.ast import TrainDecl
from netc.dsl.diagnostics import Diagnostic

from ..files.file_access import SUFFIX
from ..service.checked_text import CheckedText
from ..service.diagnostics import group_diagnostics
from ..service.workspace import Workspace
from .convert import Converter
from .lsp_positions import Positions
from .protocol import AnsweringProtocol, Refused

PAUSE = 0.003
"""Seconds after a change until the text is checked: as long as it takes to read the changes that have arrived with it."""
log = logging.getLogger("netc")


class NetServer(LanguageServer):
    """The texts of one editor, and what was published about them."""

    def __init__(self) -> None:
        super().__init__("netc", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full, protocol_cls=AnsweringProtocol)
        self.texts = Workspace()
        self._uris: dict[str, str] = {}
        self._versions: dict[str, int] = {}
        self._pending: dict[str, asyncio.Task[None]] = {}
        self._published: dict[str, dict[str, list[types.Diagnostic]]] = {}
        self._positions: dict[str, Positions] = {}

    # --- texts ---------------------------------------------------------------------------------------------------------

    def find_path(self, uri: str) -> str:
        """The path of a text. One that is not a file's, such as a new one or an old version of a file, has a path of its own next to it."""
        path = uris.to_fs_path(uri) or _make_virtual_path(uri)
        if "\0" in path:
            raise Refused("no file can have this address")
        return path

    def find_uri(self, real: str) -> str:
        """The URI of a path, as the editor wrote it if it did."""
        return self._uris.get(real) or uris.from_fs_path(real) or real

    def check_text(self, uri: str) -> CheckedText | None:
        """What is known of a text."""
        return self.texts.check_text(self.find_path(uri))

    def find_positions(self, text: str) -> Positions:
        """The positions in a text: one object as long as it is the same text."""
        positions = self._positions.get(text)
        if positions is None:
            if len(self._positions) > 20:
                self._positions.clear()
            positions = self._positions[text] = Positions(text, self.workspace.position_encoding or types.PositionEncodingKind.Utf16)
        return positions

    def _has_capability(self, capability: str) -> bool:
        """Whether the editor says that it can do something."""
        value: object = self.client_capabilities
        for name in capability.split("."):
            value = getattr(value, name, None)
        return value is True

    @property
    def can_replace(self) -> bool:
        """Whether the editor lets its user choose what a completion replaces: what is typed of a word, or all of it."""
        return self._has_capability("text_document.completion.completion_item.insert_replace_support")

    @property
    def converter(self) -> Converter:
        """What turns spans into ranges."""
        return Converter(self.find_positions, self.find_uri)

    # --- changes ---------------------------------------------------------------------------------------------------------

    def open_document(self, uri: str, text: str, version: int) -> None:
        """A document was opened, with this text."""
        self._versions.pop(uri, None)
        self.change_document(uri, text, version)

    def change_document(self, uri: str, text: str, version: int) -> None:
        """The text of a document is now this one, unless a later one has arrived before: Helix sends them in any order while one types."""
        if version < self._versions.get(uri, version):
            return
        self._versions[uri] = version
        self.texts.open_text(self.find_path(uri), text)
        checked = self.check_text(uri)
        if checked is not None:
            self._uris[checked.path] = uri
        self.recheck_document(uri)

    def close_document(self, uri: str) -> None:
        """A document was closed: what it said of files is withdrawn."""
        task = self._pending.pop(uri, None)
        if task is not None:
            task.cancel()
        self.texts.close_text(self.find_path(uri))
        self._versions.pop(uri, None)
        self._publish_diagnostics(uri, {})
        self._recheck_users(self.find_path(uri))

    def recheck_document(self, uri: str) -> None:
        """Checks a document, and those that use it."""
        self._schedule_check(uri)
        self._recheck_users(self.find_path(uri))

    def recheck_all(self) -> None:
        """Checks every document: files on disk have changed."""
        for real in self.texts.open_paths:
            self._schedule_check(self.find_uri(real))

    def _recheck_users(self, path: str) -> None:
        for real in self.texts.open_paths:
            if self.find_uri(real) in self._published and real != path and self.texts.is_stale(real):
                self._schedule_check(self.find_uri(real))

    def _schedule_check(self, uri: str) -> None:
        before = self._pending.pop(uri, None)
        if before is not None:
            before.cancel()
        self._pending[uri] = asyncio.get_running_loop().create_task(self._run_check(uri))

    async def _run_check(self, uri: str) -> None:
        """Publishes what is known of the shown model, then what the others add."""
        await asyncio.sleep(PAUSE)
        try:
            checked = self.check_text(uri)
            if checked is None:
                return
            self._publish_diagnostics(uri, self._convert_diagnostics(checked, ()))
            await self._check_others(uri, checked)
        except Exception:
            log.exception("checking %s", uri)

    async def _check_others(self, uri: str, checked: CheckedText) -> None:
        more = checked.unchecked_models
        for model in more:
            await asyncio.sleep(0.001)
            checked.find_view(model)
        problems: tuple[Diagnostic, ...] = ()
        if any(isinstance(item, TrainDecl) for item in checked.file.items):
            await asyncio.to_thread(_import_torch)
            problems = checked.check_sections()
        if more or problems:
            self._publish_diagnostics(uri, self._convert_diagnostics(checked, problems))
            self.refresh_hints()

    def watch_files(self) -> None:
        """Asks the editor to say when specs change on disk, such as when another branch is checked out, if it can."""
        if not self._has_capability("workspace.did_change_watched_files.dynamic_registration"):
            return
        watched = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(f"**/*{SUFFIX}")])
        registration = types.Registration("netc.files.source_files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watched)
        self.client_register_capability(types.RegistrationParams([registration]))

    def refresh_hints(self) -> None:
        """Asks the editor to ask for the hints again, if it can."""
        if self._has_capability("workspace.inlay_hint.refresh_support"):
            self.workspace_inlay_hint_refresh(None)

    def _convert_diagnostics(self, checked: CheckedText, more: tuple[Diagnostic, ...]) -> dict[str, list[types.Diagnostic]]:
        convert = self.converter
        return {
            self.find_uri(path): [convert.to_diagnostic(one) for one in shown] for path, shown in group_diagnostics(checked, more).items()
        }

    def _publish_diagnostics(self, owner: str, shown: dict[str, list[types.Diagnostic]]) -> None:
        """Each file shows what all open documents say of it."""
        before = self._published.pop(owner, {})
        if shown:
            self._published[owner] = shown
        for uri in dict.fromkeys((*before, *shown)):
            file_diagnostics = list(self._list_file_diagnostics(uri))
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, file_diagnostics, self._versions.get(uri)))

    def _list_file_diagnostics(self, uri: str) -> Iterable[types.Diagnostic]:
        seen: list[types.Diagnostic] = []
        for shown in self._published.values():
            for one in shown.get(uri, ()):
                if not any((one.range, one.message) == (other.range, other.message) for other in seen):
                    seen.append(one)
        return seen


def _make_virtual_path(uri: str) -> str:
    """A path that no file has, with the same stem and in the same folder, by default the current one."""
    path = PurePath(unquote(re.split("[?#]", uri)[0].partition(":")[2]).replace("\0", ""))
    folder = path.parent if path.is_absolute() else PurePath()
    return str(folder / f"{path.stem}.{sha256(uri.encode(errors='replace')).hexdigest()[:16]}")


def _import_torch() -> None:
    import torch  # noqa: F401
