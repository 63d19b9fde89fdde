"""A long chain of files that use each other: only as many are read as the compiler reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from netc.service.navigation import find_definition
from netc.service.workspace import Workspace


@pytest.mark.long
def test_a_definition_in_a_long_chain(tmp_path: Path) -> None:
    for number in range(1200):
        (tmp_path / f"f{number}.net").write_text(f'use "f{number + 1}.net"\nblock b{number} {{ relu }}\n')
    path = str((tmp_path / "f0.net").resolve())
    workspace = Workspace()
    workspace.open_text(path, 'use "f1.net"\nx = input 3\nx -> b1\n')
    checked = workspace.check_text(path)
    assert checked is not None
    found = find_definition(checked, checked.source.text.index("b1"))
    assert found is not None
    assert Path(found.file.name).name == "f1.net"
