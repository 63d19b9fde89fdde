"""`netc serve` under load, against a server as a person writes it, and against ONNX Runtime alone.

Two models: a table of 16 columns through a small network, in which HTTP and JSON are most of the work, and an image as a tensor through a
network of convolutions, in which the network is. All get the same requests from 1 and from 16 clients, by turns. The ratio is the one of
the CPU time of a request, because a busy machine gives a server with many threads more of its time. The clients are not counted.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

CLIENTS, SECONDS, ROUNDS = (1, 16), 1.0, 5
COLUMNS = [f"c{i}" for i in range(16)]
TABLE = f"""x = input 16
scores = x -> dense 64 relu -> dense 64 relu -> dense 4
train {{
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "rows.csv" x=[{", ".join(COLUMNS)}]
  epochs 1
  batch 8
}}
"""
IMAGE = """x = input 3x96x96
small = x -> conv 32 3x3 stride=2 relu -> conv 64 3x3 stride=2 relu
scores = small -> conv 128 3x3 relu -> conv 128 3x3 stride=2 relu -> global_avg_pool -> dense 10
train {
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data npz "rows.npz"
  epochs 1
  batch 8
}
"""
LIMITS = {("table", "by hand"): 2.0, ("image", "by hand"): 2.5, ("image", "session"): 3.5}
"""The most CPU time of a request, as a multiple of the peer's."""


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for kind, spec in (("table", TABLE), ("image", IMAGE)):
        _write_data(sandbox, kind)
        sandbox.write(f"{kind}.net", spec)
        sandbox.run(("-m", "netc", "train", f"{kind}.net", "-o", f"{kind}-run"))
        sandbox.run(("-m", "netc", "compile", f"{kind}.net", "--weights", f"{kind}-run", "-o", f"{kind}.onnx"))
        yield from _compare(sandbox, kind)


def _compare(sandbox: Sandbox, kind: str) -> Iterator[Row]:
    with ExitStack() as stack:
        netc = stack.enter_context(_start(sandbox, ("-m", "netc", "serve", f"{kind}.onnx", "--name", "m", "--port", "0")))
        peer = stack.enter_context(_start(sandbox, (str(ROOT / "bench" / "serving_peer.py"), f"{kind}.onnx", kind, *COLUMNS)))
        servers = {"netc": (*netc, _write_request(sandbox, kind, True)), "by hand": (*peer, _write_request(sandbox, kind, False))}
        plan = {"model": f"{kind}.onnx", "seconds": SECONDS, "rounds": ROUNDS, "clients": CLIENTS, "servers": servers}
        path = sandbox.write("plan.json", json.dumps(plan))
        figures = json.loads(sandbox.ask((str(ROOT / "bench" / "serving_load.py"), path)))
    for clients in CLIENTS:
        ours = figures[f"netc {clients}"]
        for name in ("by hand", "session"):
            theirs = figures[f"{name} {clients}"]
            ratio = median(a["cpu"] / b["cpu"] for a, b in zip(ours, theirs, strict=True))
            shown = f"{_show(ours)}; {name} {_show(theirs)}"
            yield Row(f"request of {clients} clients to serve, {kind}", shown, ratio, LIMITS.get((kind, name), math.inf))


def _show(rounds: Sequence[dict[str, float]]) -> str:
    cpu, rate, p50, p99 = (median(figures[name] for figures in rounds) for name in ("cpu", "rate", "p50", "p99"))
    return f"{cpu:.2f} ms CPU, {rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms"


@contextmanager
def _start(sandbox: Sandbox, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The process of a server, and its port, which its first line names."""
    process = subprocess.Popen(
        [sys.executable, *words], cwd=sandbox.folder, env=sandbox.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"(?:127\.0\.0\.1:)?(\d+)(?:,.*)?$", line.strip())
        assert found, line + process.stdout.read()
        yield process.pid, int(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def _write_data(sandbox: Sandbox, kind: str) -> None:
    import numpy as np

    generator = np.random.default_rng(0)
    if kind == "table":
        rows = [",".join([*COLUMNS, "kind"])]
        rows += [",".join([*(f"{number:.4f}" for number in generator.normal(size=16)), str(i % 4)]) for i in range(64)]
        sandbox.write("rows.csv", "\n".join(rows) + "\n")
    else:
        np.savez(sandbox.file("rows.npz"), x=generator.standard_normal((16, 3, 96, 96), np.float32), kind=np.arange(16) % 10)


def _write_request(sandbox: Sandbox, kind: str, is_netc: bool) -> str:
    """A file with the bytes of a request."""
    headers: dict[str, str] = {}
    if kind == "table":
        path = "/predict" if is_netc else "/"
        body = json.dumps({name: round(0.1 * i, 4) for i, name in enumerate(COLUMNS)}).encode()
        headers["Content-Type"] = "application/json"
    else:
        blob = bytes(4 * 3 * 96 * 96)
        path, body, headers["Content-Type"] = "/", blob, "application/octet-stream"
        if is_netc:
            tensor = {"name": "x", "datatype": "FP32", "shape": [1, 3, 96, 96], "parameters": {"binary_data_size": len(blob)}}
            text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
            path, body = "/v2/models/m/infer", text + blob
            headers["Inference-Header-Content-Length"] = str(len(text))
    headers["Content-Length"] = str(len(body))
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    name = sandbox.file(f"request-{kind}-{os.path.basename(path)}")
    Path(name).write_bytes("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return name
