"""The server: keeps the documents of an editor, and publishes their diagnostics.

In: the messages of an editor. Out: answers and diagnostics. Always: the editor sends the full text with every change, so that both sides
agree on it. A request is answered from the current text. Models that are not shown are checked later, between messages.
"""

from __future__ import annotations

import asyncio
import logging
import os
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
"""The seconds between a change and the check of the text, in which further changes that have arrived are read."""
log = logging.getLogger("netc")


class NetServer(LanguageServer):
    """The documents of one editor, and the diagnostics that were published for them."""

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
        """Return the path of a document. A document that is not a file, such as an unsaved one or an old version of a file, gets a path of
        its own in the same folder."""
        path = uris.to_fs_path(uri) or _make_virtual_path(uri)
        if "\0" in path:
            raise Refused("no file can have this address")
        return path

    def find_uri(self, real: str) -> str:
        """Return the URI of a path. If the editor has sent one for this path, return it unchanged: there are several spellings."""
        return self._uris.get(real) or uris.from_fs_path(real) or real

    def check_text(self, uri: str) -> CheckedText | None:
        """Check a document."""
        return self.texts.check_text(self.find_path(uri))

    def find_positions(self, text: str) -> Positions:
        """Return the positions of a text. Cached, because they hold the beginnings of its lines."""
        positions = self._positions.get(text)
        if positions is None:
            # each version of a text has an entry of its own, so the cache would grow with every key
            if len(self._positions) > 20:
                self._positions.clear()
            positions = self._positions[text] = Positions(text, self.workspace.position_encoding or types.PositionEncodingKind.Utf16)
        return positions

    def _has_capability(self, capability: str) -> bool:
        """Whether the editor has declared a capability."""
        value: object = self.client_capabilities
        for name in capability.split("."):
            value = getattr(value, name, None)
        return value is True

    @property
    def can_replace(self) -> bool:
        """Whether the editor lets its user choose what a completion replaces: the typed part of a word, or the full word."""
        return self._has_capability("text_document.completion.completion_item.insert_replace_support")

    @property
    def converter(self) -> Converter:
        """The converter from spans to ranges."""
        return Converter(self.find_positions, self.find_uri)

    # --- changes ---------------------------------------------------------------------------------------------------------

    def open_document(self, uri: str, text: str, version: int) -> None:
        """Handle the opening of a document."""
        self._versions.pop(uri, None)
        self.change_document(uri, text, version)

    def change_document(self, uri: str, text: str, version: int) -> None:
        """Handle a change of a document."""
        # Helix sends changes in any order while one types: an older version must not replace a newer one.
        if version < self._versions.get(uri, version):
            return
        self._versions[uri] = version
        self.texts.open_text(self.find_path(uri), text)
        checked = self.check_text(uri)
        if checked is not None:
            self._uris = {path: other for path, other in self._uris.items() if other != uri} | {checked.path: uri}
        self.recheck_document(uri)

    def close_document(self, uri: str) -> None:
        """Handle the closing of a document, and withdraw its diagnostics."""
        task = self._pending.pop(uri, None)
        if task is not None:
            task.cancel()
        self.texts.close_text(self.find_path(uri))
        self._versions.pop(uri, None)
        self._publish_diagnostics(uri, {})
        self._recheck_users(self.find_path(uri))

    def recheck_document(self, uri: str) -> None:
        """Check a document, and the documents that use it."""
        self._schedule_check(uri)
        self._recheck_users(self.find_path(uri))

    def recheck_all(self) -> None:
        """Check every document, because files on disk have changed."""
        self.texts.follow_links()
        self._uris = {os.path.realpath(self.find_path(uri)): uri for uri in self._uris.values()}
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
        """Publish the diagnostics of the shown model, then the diagnostics of all models."""
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
            await asyncio.sleep(0.001)  # lets the server answer requests between two models
            checked.find_view(model)
        problems: tuple[Diagnostic, ...] = ()
        if any(isinstance(item, TrainDecl) for item in checked.file.items):
            # Importing PyTorch takes seconds, in which the server must go on answering.
            await asyncio.to_thread(_import_torch)
            problems = checked.check_sections()
        if more or problems:
            self._publish_diagnostics(uri, self._convert_diagnostics(checked, problems))
            self.refresh_hints()

    def watch_files(self) -> None:
        """Ask the editor, if it can, to report changes of specs on disk, as when another branch is checked out."""
        if not self._has_capability("workspace.did_change_watched_files.dynamic_registration"):
            return
        watched = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(f"**/*{SUFFIX}")])
        registration = types.Registration("netc.files.source_files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watched)
        self.client_register_capability(types.RegistrationParams([registration]))

    def refresh_hints(self) -> None:
        """Ask the editor, if it can, to request the hints again."""
        if self._has_capability("workspace.inlay_hint.refresh_support"):
            self.workspace_inlay_hint_refresh(None)

    def _convert_diagnostics(self, checked: CheckedText, more: tuple[Diagnostic, ...]) -> dict[str, list[types.Diagnostic]]:
        convert = self.converter
        return {
            self.find_uri(path): [convert.to_diagnostic(diagnostic) for diagnostic in diagnostics]
            for path, diagnostics in group_diagnostics(checked, more).items()
        }

    def _publish_diagnostics(self, owner: str, by_uri: dict[str, list[types.Diagnostic]]) -> None:
        """Publish the diagnostics that a document has found, in all files: each file shows the diagnostics of all open documents."""
        before = self._published.pop(owner, {})
        if by_uri:
            self._published[owner] = by_uri
        for uri in dict.fromkeys((*before, *by_uri)):
            file_diagnostics = list(self._list_file_diagnostics(uri))
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, file_diagnostics, self._versions.get(uri)))

    def _list_file_diagnostics(self, uri: str) -> Iterable[types.Diagnostic]:
        seen: list[types.Diagnostic] = []
        for by_uri in self._published.values():
            for diagnostic in by_uri.get(uri, ()):
                if not any((diagnostic.range, diagnostic.message) == (other.range, other.message) for other in seen):
                    seen.append(diagnostic)
        return seen


def _make_virtual_path(uri: str) -> str:
    """Make a path that no file has, with the same stem and in the same folder, by default the current one."""
    # In the same folder, so that `use` finds the same files.
    path = PurePath(unquote(re.split("[?#]", uri)[0].partition(":")[2]).replace("\0", ""))
    folder = path.parent if path.is_absolute() else PurePath()
    return str(folder / f"{path.stem}.{sha256(uri.encode(errors='replace')).hexdigest()[:16]}")


def _import_torch() -> None:
    import torch  # noqa: F401
