"""What is installed: one package with every module and data file, and nothing else, with or without symbolic links in the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTENT = {
    "netc": ("netc", ("**/*.py", "py.typed")),
    "dsl": ("netc/dsl", ("**/*.py", "*.lark")),
    "compiler": ("netc/compiler", ("**/*.py", "**/kernels/*.json")),
    "docs/errors": ("netc/pages", ("*.md",)),
    "docs/words": ("netc/words", ("*.md",)),
    "specs": ("netc/specs", ("**/*.net",)),
}
"""For each folder of the checkout, the folder of the wheel that it becomes, and the files."""

LINKS = ("dsl", "compiler")
"""Links in netc/ to the folders of that name at the top level."""

MAIN = """
import netc.cli, netc.compiler, netc.dsl
print(netc.__file__, netc.compiler.__file__, netc.dsl.__file__)
netc.cli.main()
"""
SPEC = 'use "std/mlp.net"\ninput [T, 8] -> mlp 16'


def copy_of_checkout(to: Path, *, links: bool) -> Path:
    """Nothing is built in the tree itself. Without links, as git on Windows does it: a text file holds the target."""
    hidden = [p.name for p in ROOT.iterdir() if p.name.startswith(".") or p.name in ("build", "dist", "shared")]
    shutil.copytree(ROOT, to, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", *hidden))
    for name in LINKS:
        link, target = to / "netc" / name, f"../{name}"
        link.unlink()
        if links:
            try:
                link.symlink_to(target, target_is_directory=True)
            except OSError:
                pytest.skip("this system makes no symbolic links")
        else:
            link.write_text(target, encoding="utf-8")
    return to


def wheel_of(tree: Path, to: Path) -> ZipFile:
    """The wheel that pip builds of a checkout or an sdist."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(to), str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = to.iterdir()
    return ZipFile(built)


def files_of(wheel: ZipFile) -> dict[str, bytes]:
    return {name: wheel.read(name) for name in wheel.namelist()}


def netc(*arguments: str, found_in: Path, cwd: Path) -> str:
    """What `netc` prints, run with the package that `found_in` holds; first, where its parts are."""
    command = [sys.executable, "-c", MAIN, *arguments]
    done = subprocess.run(command, cwd=cwd, env=os.environ | {"PYTHONPATH": str(found_in)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def linkless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_checkout(tmp_path_factory.mktemp("linkless") / "netc", links=False)


@pytest.fixture(scope="module")
def wheel(linkless: Path, tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    return wheel_of(linkless, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_checkout(tmp_path_factory.mktemp("linked") / "netc", links=True)


@pytest.mark.long
def test_every_file_is_there_and_no_other(wheel: ZipFile) -> None:
    expected = set()
    for folder, (home, patterns) in CONTENT.items():
        for pattern in patterns:
            found = {f"{home}/{path.relative_to(ROOT / folder).as_posix()}" for path in (ROOT / folder).glob(pattern)}
            assert found
            expected |= found
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


@pytest.mark.long
def test_metadata(wheel: ZipFile) -> None:
    name = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert metadata["Requires-Python"] == ">=3.11"
    needed = [r for r in metadata.get_all("Requires-Dist") or [] if "extra ==" not in r]
    assert not [r for r in needed if "==" in r.partition(";")[0]]
    scripts = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "netc = netc.__main__:main" in scripts


@pytest.mark.long
def test_links_make_no_difference(wheel: ZipFile, linked: Path, tmp_path: Path) -> None:
    assert files_of(wheel_of(linked, tmp_path)) == files_of(wheel)


@pytest.mark.long
def test_an_sdist_gives_the_same_wheel(wheel: ZipFile, linked: Path, tmp_path: Path) -> None:
    build = "from setuptools import build_meta; import sys; build_meta.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path / "sdist")], cwd=linked, check=True, capture_output=True)
    (sdist,) = (tmp_path / "sdist").iterdir()
    with tarfile.open(sdist) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
    assert files_of(wheel_of(sdist, tmp_path / "wheel")) == files_of(wheel)


@pytest.mark.parametrize("installed", ["wheel", "linkless"])
@pytest.mark.long
def test_it_works_from_any_folder(installed: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    source = request.getfixturevalue(installed)
    home, elsewhere = source, tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "spec.net").write_text(SPEC, encoding="utf-8")
    if isinstance(source, ZipFile):
        home = tmp_path / "site"
        source.extractall(home)
    output = netc("compile", "spec.net", "--target", "torch", found_in=home, cwd=elsewhere)
    where, _, emitted = output.partition("\n")
    assert [path for path in where.split() if not path.startswith(f"{home}{os.sep}")] == []
    assert "class " in emitted
    page = netc("explain", "wrong-rank", found_in=home, cwd=elsewhere)
    assert (ROOT / "docs" / "errors" / "wrong-rank.md").read_text(encoding="utf-8").splitlines()[0] in page
