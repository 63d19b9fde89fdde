"""The tutorial, the guides, the comparison and the journey are true: each page is followed from its beginning, in a folder of its own.

A fence with `file=NAME` is written to that file. A `console` fence must print what is shown. `python` fences run one after the other in
one namespace, and print what the `text output` fence after them shows; with `needs=PACKAGE`, only where the package is installed. The
word `varying` allows other numbers. A `console background` fence starts a server at a free port in place of 8000, which runs to the end
of the page. A `shown` fence is for programs that the tests do not have, and is not run.

A comment `<!-- picture: FILE -->` above an image says which file of the folder the image shows; `<!-- picture varying: FILE -->` allows
other numbers in it. `pytest tests/docs --update` rewrites what is printed and copies the pictures; read it before you commit it.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.test_readme import masked, played, shorten

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    *(DOCS / f"{name}.md" for name in ("tutorial", "comparison", "bench", "journey", "jax", "mlx", "proofs", "sweeps", "targets")),
    DOCS / "transformers.md",
    *sorted((DOCS / "guides").glob("*.md")),
]
FENCE = re.compile(
    r"^```(?P<kind>\w+)(?: file=(?P<file>\S+)| needs=(?P<needs>\w+)| (?P<output>output))?(?P<varying> varying)?"
    r"(?P<background> background)?(?P<shown> shown)?\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PORT = "8000"
SERVER_PACKAGES = ("starlette", "uvicorn", "prometheus_client", "python_multipart")
PICTURE = re.compile(r"^<!-- picture(?P<varying> varying)?: (?P<file>\S+) -->\n!\[[^\]]+\]\((?P<image>[^)]+)\)", re.MULTILINE)


class Follower:
    """Somebody who does what a page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, object] = {}
        self.printed: str | None = ""
        self.missing: dict[str, None] = {}
        """Packages that parts of the page need."""
        self.server: subprocess.Popen[str] | None = None
        self.port = PORT

    def follow(self, match: re.Match[str]) -> str:
        """The fence with what is really printed."""
        text = match["text"]
        header = text_header(match)
        if match["shown"]:
            return match[0]
        if match["file"]:
            (self.folder / match["file"]).write_text(text, encoding="utf-8")
        elif match["background"] and not all(map(find_spec, SERVER_PACKAGES)):
            self.missing |= dict.fromkeys(SERVER_PACKAGES)
        elif match["background"]:
            text = self.start_server(text)
        elif self.missing.keys() & {*SERVER_PACKAGES}:
            self.printed = None
        elif match["needs"] and find_spec(match["needs"]) is None:
            self.printed = None
            self.missing[match["needs"]] = None
        elif match["kind"] == "console":
            real = shorten(played(text, self.folder), text)
            assert not match["varying"] or not re.search(r"^error", real, re.MULTILINE), real
            text = text if match["varying"] and masked(text) == masked(real) else real
        elif match["kind"] == "python":
            self.printed = self.run(text)
        elif match["output"] and self.printed is not None:
            text = text if match["varying"] and masked(text) == masked(self.printed) else self.printed
        return f"```{header}\n{text}```"

    def run(self, code: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code.replace(f"localhost:{PORT}", f"localhost:{self.port}"), "example", "exec"), self.names)
        return printed.getvalue()

    def start_server(self, session: str) -> str:
        """The session with the first line that the server prints."""
        command = session.partition("\n")[0]
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        words = [sys.executable, "-m", "netc", *shlex.split(command.removeprefix("$ netc")), "--port", self.port]
        self.server = subprocess.Popen(words, cwd=self.folder, stderr=subprocess.PIPE, text=True)
        assert self.server.stderr is not None
        return f"{command}\n{self.server.stderr.readline().replace(self.port, PORT)}"

    def stop_server(self) -> None:
        """Stop it as the user does, with all requests answered."""
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            _, said = self.server.communicate(timeout=60)
            assert (self.server.returncode, said) == (0, "stopped: all requests are answered\n")


def text_header(match: re.Match[str]) -> str:
    """The first line of a fence, without its backticks."""
    return match[0].partition("\n")[0].removeprefix("```")


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {*sys.modules}
    text = page.read_text(encoding="utf-8")
    follower = Follower(tmp_path)
    try:
        real = FENCE.sub(follower.follow, text)
    finally:
        follower.stop_server()
        for name in {*sys.modules} - before:  # modules that the page has written
            if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
                del sys.modules[name]
    if update:
        page.write_text(real, encoding="utf-8")
    for picture in PICTURE.finditer(text):
        compare_picture(tmp_path / picture["file"], (page.parent / picture["image"]).resolve(), picture["varying"] is not None, update)
    assert real == text
    if follower.missing:
        pytest.skip(f"what needs {', '.join(follower.missing)} was left out: not installed")


def compare_picture(drawn: Path, shown: Path, varying: bool, update: bool) -> None:
    """The image of a page is the one that its commands have drawn."""
    if update and not (varying and shown.exists()):
        shown.parent.mkdir(exist_ok=True)
        shown.write_bytes(drawn.read_bytes())
    assert drawn.exists()
    assert varying or drawn.read_bytes() == shown.read_bytes()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_fence_is_followed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    kinds = [match["kind"] for match in FENCE.finditer(text) if not (match["file"] or match["shown"])]
    assert len(re.findall(r"^```(\w.*)$", text, re.MULTILINE)) == len([*FENCE.finditer(text)])
    assert set(kinds) <= {"console", "python", "text"}
    assert text.count("<!-- picture") == len([*PICTURE.finditer(text)])
