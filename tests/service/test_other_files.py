"""References and renames in a folder of many files: all uses are found, and only files that can have one are checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from netc.service.navigation import find_references, make_rename
from netc.service.workspace import Workspace

MANY = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("many")
    (made / "blocks.net").write_text("block unit(width) { dense width -> relu }\n")
    (made / "other.net").write_text("block unit(width) { dense width }\n")
    for n in range(MANY):
        used = "blocks.net" if n % 200 == 199 else "other.net"
        (made / f"net{n:04}.net").write_text(f'use "{used}": unit\ninput 4 -> unit {n + 1} -> unit 2\n')
    (made / "unused.net").write_text('use "blocks.net": unit\n# `unit` is not used here\ninput 4 -> dense 3\n')
    return made


def test_uses_in_all_files_of_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, home = Workspace(), folder / "blocks.net"
    checked = workspace.check_text(str(home))
    assert checked is not None
    asked: list[str] = []
    check = workspace.check_text
    monkeypatch.setattr(workspace, "check_text", lambda path: asked.append(path) or check(path))  # type: ignore[func-returns-value]
    found = find_references(workspace, checked, home.read_text().index("unit"))
    users = [folder / f"net{n:04}.net" for n in range(199, MANY, 200)]
    wanted = {home: 1, folder / "unused.net": 1, **dict.fromkeys(users, 3)}
    counts = {path: sum(span.file.name == str(path.resolve()) for span in found) for path in wanted}
    assert counts == wanted
    assert len(found) == sum(wanted.values()), "the block of the same name in another file is not meant"
    assert {*asked} == {str(path.resolve()) for path in wanted if path != home}


def test_a_block_is_renamed_in_all_files(folder: Path) -> None:
    workspace = Workspace()
    user = folder / "net0199.net"
    checked = workspace.check_text(str(user))
    assert checked is not None
    edits = make_rename(workspace, checked, user.read_text().rindex("unit"), "layer")
    assert len({edit.span.file.name for edit in edits}) == 2 + MANY // 200
    assert all(edit.span.text == "unit" and edit.text == "layer" for edit in edits)
