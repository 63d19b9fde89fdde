"""`netc play`: files of the playground, to this machine, in the types that browsers insist on."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.cli import cli
from netc.cli.play import NotBuilt, make_server


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    page = tmp_path / "page"
    (page / "pyodide").mkdir(parents=True)
    for name in ("index.html", "worker.mjs", "pyodide/a.wasm"):
        (page / name).write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    (page / "link").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(page / "pipe")
    serving = make_server(str(page), 0)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield int(serving.server_address[1])
    serving.shutdown()
    thread.join()
    serving.server_close()


def get(port: int, path: str) -> tuple[int, str | None, bytes]:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read()


def test_types(port: int) -> None:
    assert get(port, "/") == (200, "text/html", b"index.html")
    assert get(port, "/worker.mjs")[1] == "text/javascript"
    assert get(port, "/pyodide/a.wasm")[1] == "application/wasm"


@pytest.mark.sample(2)
@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/pyodide/", "/nothing", "/link", "/pipe", "/%00"])
def test_nothing_else_is_shown(port: int, path: str) -> None:
    status, _, content = get(port, path)
    assert status == 404
    assert b"secret" not in content


def test_who_does_not_wait_is_no_news(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    for sent in (b"GET /worker.mjs HTTP/1.0\r\n\r\n", b"\xff\r\n\r\n", b""):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset rather than end
        connection.close()
    assert get(port, "/worker.mjs")[0] == 200
    assert capsys.readouterr().err == ""


def test_a_folder_without_a_playground(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt):
        make_server(str(tmp_path), 0)
    done = CliRunner().invoke(cli, ["play", "--folder", str(tmp_path)])
    assert done.exit_code == 1
    assert "make playground" in done.output


def test_a_port_that_is_taken(port: int, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["play", "--folder", str(tmp_path / "page"), "--port", str(port)])
    assert done.exit_code == 1
    assert f"cannot use port {port}" in done.output
