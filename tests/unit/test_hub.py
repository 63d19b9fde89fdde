"""Weights from the Hugging Face hub, whose place a server on this machine takes. The client is huggingface_hub itself, in a process of its
own, since it reads HF_ENDPOINT when it is imported."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save

import netc
from netc.compiler.errors.weight_errors import WeightsError
from netc.compiler.weights.hub import download_weights, is_hub_address
from netc.compiler.weights.initial import draw_initial_values

TEXT = "input 3 -> dense 4 relu as fc1 -> dense 2 as fc2"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = draw_initial_values(netc.compile(TEXT).parameters, 4)


def _sharded() -> dict[str, bytes]:
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    homes = {name: one if name.startswith("fc1") else two for name in WEIGHTS}
    files = {file: save({name: WEIGHTS[name] for name in homes if homes[name] == file}) for file in (one, two)}
    return {**files, "model.safetensors.index.json": json.dumps({"weight_map": homes}).encode()}


def _pickled(folder: Path) -> bytes:
    torch.save({name: torch.from_numpy(array) for name, array in WEIGHTS.items()}, folder / "w.bin")
    return (folder / "w.bin").read_bytes()


class Hub:
    """Repositories by name, each with its files; `asked` are the requests."""

    def __init__(self, folder: Path) -> None:
        evil = {"model.safetensors.index.json": b'{"weight_map": {"a": "../../../../w.safetensors"}}', "config.json": b"{}"}
        partial = {name: content for name, content in _sharded().items() if "00002-of" not in name}
        self.files = {
            "org/sharded": _sharded(),
            "org/single": {"model.safetensors": save(WEIGHTS), "README.md": b"text"},
            "org/old": {"pytorch_model.bin": _pickled(folder)},
            "org/empty": {"README.md": b"text"},
            "org/evil": evil,
            "org/partial": partial,
            "legacy": {"model.safetensors": save(WEIGHTS)},
        }
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(False)

            def do_GET(self) -> None:
                self._answer(True)

            def _answer(self, whole: bool) -> None:
                hub.asked.append(f"{self.command} {self.path}")
                name, _, rest = self.path.removeprefix("/").partition("/resolve/")
                revision, _, file = rest.partition("/")
                if name == "org/gated":
                    return self._refuse(403, "GatedRepo")
                if name not in hub.files:
                    return self._refuse(401, "RepoNotFound")
                if revision not in ("main", COMMIT):
                    return self._refuse(404, "RevisionNotFound")
                content = hub.files[name].get(file)
                if content is None:
                    return self._refuse(404, "EntryNotFound")
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.end_headers()
                if whole:
                    self.wfile.write(content)
                return None

            def _refuse(self, status: int, code: str) -> None:
                self.send_response(status)
                for header, value in (
                    ("X-Error-Code", code),
                    ("X-Error-Message", code),
                    ("X-Repo-Commit", COMMIT),
                    ("Content-Length", "0"),
                ):
                    self.send_header(header, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    found = Hub(tmp_path)
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def compiled(hub: Hub, folder: Path, name: str, **environment: str) -> tuple[int, str]:
    """`netc compile --weights NAME`: the exit code, and what is said."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING")) and "proxy" not in key.lower()}
    kept |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **environment}
    words = [sys.executable, "-m", "netc", "compile", "-e", TEXT, "--weights", name, "-o", str(folder / "m.onnx")]
    done = subprocess.run(words, env=kept, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def same(folder: Path) -> bool:
    import onnx
    from onnx import numpy_helper

    found = {t.name: numpy_helper.to_array(t) for t in onnx.load(folder / "m.onnx").graph.initializer}
    return all(np.array_equal(found[name], array) for name, array in WEIGHTS.items())


@pytest.mark.long
@pytest.mark.parametrize("name", ["org/sharded", "org/single", "org/old", "legacy", f"org/sharded@{COMMIT}"])
def test_repositories(hub: Hub, tmp_path: Path, name: str) -> None:
    code, said = compiled(hub, tmp_path, f"hf:{name}")
    assert code == 0, said
    assert same(tmp_path)
    assert not any("README" in line for line in hub.asked)


@pytest.mark.long
def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    assert compiled(hub, tmp_path, "hf:org/sharded")[0] == 0
    hub.asked.clear()
    assert compiled(hub, tmp_path, "hf:org/sharded")[0] == 0
    assert not any(line.startswith("GET") and "/resolve/" in line for line in hub.asked)
    hub.asked.clear()
    code, said = compiled(hub, tmp_path, "hf:org/sharded", HF_HUB_OFFLINE="1")
    assert (code, hub.asked) == (0, []), said
    assert same(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("org/empty", "the repository has none of"),
        ("org/nothing", "there is no such repository, or it is private"),
        ("org/gated", "its authors give access on request"),
        ("org/single@other", "the repository has no such revision"),
        ("org/evil", "it leads out of its folder"),
        ("org/partial", "a shard is missing"),
    ],
)
def test_what_cannot_be_fetched(hub: Hub, tmp_path: Path, name: str, why: str) -> None:
    code, said = compiled(hub, tmp_path, f"hf:{name}")
    assert code == 1
    assert f"error[weights-unreadable]: cannot read weights from `hf:{name}`" in said or name == "org/evil"
    assert why in said
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.long
@pytest.mark.parametrize("name", ["org/single", "a"])
def test_a_hub_that_is_not_there(hub: Hub, tmp_path: Path, name: str) -> None:
    """It is asked once, and nothing is said but that."""
    code, said = compiled(hub, tmp_path, f"hf:{name}", HF_ENDPOINT="http://127.0.0.1:9")
    assert code == 1
    assert "the hub cannot be reached" in said
    assert said.startswith("error[weights-unreadable]")
    assert "Retry" not in said


@pytest.mark.long
def test_what_is_in_the_cache_needs_no_hub(hub: Hub, tmp_path: Path) -> None:
    assert compiled(hub, tmp_path, "hf:org/single")[0] == 0
    code, said = compiled(hub, tmp_path, "hf:org/single", HF_ENDPOINT="http://127.0.0.1:9")
    assert (code, said) == (0, "")
    assert same(tmp_path)


@pytest.mark.parametrize("word", ["hf:", "hf:a/b/c", "hf:../x", "hf:org/na me", "hf:org/name@", "hf:org/name@../x y", "hf:/etc/passwd"])
def test_words_that_are_no_names(word: str) -> None:
    assert is_hub_address(word)
    with pytest.raises(WeightsError, match=r"it is no name of a repository|the hub did not give it"):
        download_weights(word)


def test_a_file_is_not_of_the_hub(tmp_path: Path) -> None:
    assert not is_hub_address("./hf:org/name")
    (tmp_path / "w.safetensors").write_bytes(save(WEIGHTS))
    assert load_file(tmp_path / "w.safetensors").keys() == WEIGHTS.keys()
