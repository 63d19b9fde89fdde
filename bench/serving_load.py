"""Load servers and a session by turns with the same requests, and print their figures as JSON.

    python serving_load.py PLAN.json

The plan has the model, the seconds of a turn, the rounds, the numbers of clients, and for each server its process, its port and its request
as a file. The figures are requests a second, the CPU milliseconds of a request, and percentiles of the latency in milliseconds.
A client sends its next request as soon as it has the answer to the last one. The clients of the session are threads that call it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

Latencies = list[float]


async def load_server(port: int, request: bytes, clients: int, seconds: float) -> Latencies:
    """The seconds of each request."""
    latencies: Latencies = []
    end = time.perf_counter() + seconds

    async def run_client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            latencies.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(run_client() for _ in range(clients)))
    return latencies


def load_session(session: Any, arrays: dict[str, Any], clients: int, seconds: float) -> Latencies:
    """The same for calls of a session."""
    latencies: Latencies = []
    end = time.perf_counter() + seconds

    def run_client() -> None:
        while time.perf_counter() < end:
            start = time.perf_counter()
            session.run(None, arrays)
            latencies.append(time.perf_counter() - start)

    threads = [threading.Thread(target=run_client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def read_cpu_seconds(process: int) -> float:
    """The CPU seconds of all threads of a process so far. Linux only, in steps of 10 ms."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summarize(latencies: Latencies, seconds: float, cpu: float) -> dict[str, float]:
    p50, p99 = np.percentile(latencies, (50, 99)) * 1000
    return {"rate": len(latencies) / seconds, "cpu": 1000 * cpu / len(latencies), "p50": float(p50), "p99": float(p99)}


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(plan["model"])
    (declared,) = session.get_inputs()
    arrays = {declared.name: np.random.default_rng(0).standard_normal((1, *declared.shape[1:]), np.float32)}
    seconds = plan["seconds"]
    figures: dict[str, list[dict[str, float]]] = {}
    for turn in range(plan["rounds"] + 1):
        for clients in plan["clients"]:
            for name, (process, port, path) in plan["servers"].items():
                before = read_cpu_seconds(process)
                found = asyncio.run(load_server(port, Path(path).read_bytes(), clients, seconds))
                figures.setdefault(f"{name} {clients}", []).append(summarize(found, seconds, read_cpu_seconds(process) - before))
            before = time.process_time()
            found = load_session(session, arrays, clients, seconds)
            figures.setdefault(f"session {clients}", []).append(summarize(found, seconds, time.process_time() - before))
        if not turn:
            figures.clear()  # the first round only warms up
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
