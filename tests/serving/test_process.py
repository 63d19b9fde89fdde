"""`netc serve` as a process: real sockets, and SIGTERM while requests are on their way, none of which is lost."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.cli import cli

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")
pytest.importorskip("uvicorn", reason="`netc serve` needs the extra `serve`")

ROW = json.dumps({"width": -2, "height": 1.5, "place": "Ulm"}).encode()
HEADERS = {"Content-Type": "application/json"}


class Server:
    def __init__(self, run: Path, *options: str) -> None:
        words = [sys.executable, "-m", "netc", "serve", str(run), "--port", "0", *options]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ | {"NETC_DEBUG": ""})
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("serving `run` at http://127.0.0.1:"), line + self.process.stderr.read()
        self.port = int(line.split("127.0.0.1:")[1].split(",")[0])

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=60)
        assert (self.process.returncode, said) == (0, "stopped: all requests are answered\n")


@pytest.fixture
def server(trees: Path) -> Iterator[Server]:
    server = Server(trees)
    yield server
    server.process.kill()
    server.process.wait()


def ask_until_the_end(port: int, statuses: list[int], lost: list[BaseException], reconnects: bool) -> None:
    """Send one request after the other, each on a connection of its own if `reconnects`, until the server accepts no more connections."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while True:
        try:
            if connection.sock is None:
                connection.connect()
        except ConnectionRefusedError:  # the server is gone, and has never had the request
            return
        try:
            connection.request("POST", "/predict", ROW, HEADERS)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
            if reconnects:
                connection.close()
        except BaseException as error:  # the server had accepted the connection
            lost.append(error)
            return


@pytest.mark.long
def test_no_request_is_lost_on_sigterm(server: Server) -> None:
    statuses: list[int] = []
    lost: list[BaseException] = []
    threads = [threading.Thread(target=ask_until_the_end, args=(server.port, statuses, lost, i % 2 == 0)) for i in range(12)]
    for thread in threads:
        thread.start()
    while len(statuses) < 200:
        time.sleep(0.01)
    before = len(statuses)
    server.stop()
    for thread in threads:
        thread.join()
    assert lost == []
    assert set(statuses) == {200}
    assert len(statuses) > before


@pytest.mark.long
def test_sockets_with_strange_bytes(server: Server) -> None:
    """What is no HTTP is answered by 400, and slow or broken connections do not stop others."""
    open_ones = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    for broken in open_ones:
        broken.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x00" * 100):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.settimeout(10)
            raw.sendall(sent + b"\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 400 ")
    for broken in open_ones:
        broken.close()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/predict", ROW, HEADERS)
    assert connection.getresponse().status == 200
    server.stop()


def test_a_port_that_is_taken(trees: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = CliRunner().invoke(cli, ["serve", str(trees), "--port", str(other.getsockname()[1])], prog_name="netc")
    assert result.exit_code == 1
    assert "cannot listen at http://127.0.0.1:" in result.stderr
    assert "`--port 0` takes a free one" in result.stderr


def test_missing_packages_are_named(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("starlette", "uvicorn") else object())
    result = CliRunner().invoke(cli, ["serve", str(trees)], prog_name="netc")
    assert result.exit_code == 1
    assert "starlette and uvicorn are not installed" in result.stderr
    assert "pip install starlette uvicorn prometheus-client python-multipart" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["RUN", "--name", "a/b"], 2, "`a/b` is not a name for a model"),
        (["RUN", "--host", "no.such.host.invalid"], 1, "`no.such.host.invalid` is no address of this machine"),
        (["missing.onnx", "--port", "0"], 1, "there is no such file"),
        (["RUN", "--max-batch", "0"], 2, "--max-batch"),
    ],
)
def test_refused_options(trees: Path, words: list[str], code: int, message: str) -> None:
    result = CliRunner().invoke(cli, ["serve", *(word.replace("RUN", str(trees)) for word in words)], prog_name="netc")
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
