"""A server as a person writes it: Starlette, ONNX Runtime in threads, and nothing else.

    python serving_peer.py MODEL.onnx table|tensor [COLUMN...]

It prints its port. A table's request is a JSON object with a number for each column, a tensor's the bytes of float32.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def main() -> None:
    path, kind, *columns = sys.argv[1:]
    session = onnxruntime.InferenceSession(path)
    (declared,) = session.get_inputs()
    shape = (1, *declared.shape[1:])

    async def answer(request: Request) -> Response:
        body = await request.body()
        if kind == "table":
            row = json.loads(body)
            array: Any = np.array([[row[name] for name in columns]], np.float32)
        else:
            array = np.frombuffer(body, np.float32).reshape(shape)
        (result,) = await run_in_threadpool(session.run, None, {declared.name: array})
        content = json.dumps({"scores": result[0].tolist()}) if kind == "table" else result.tobytes()
        return Response(content, media_type="application/json" if kind == "table" else "application/octet-stream")

    # With the protocol, because asyncio sends small answers at once only then.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(Starlette(routes=[Route("/", answer, methods=["POST"])]), log_level="error", access_log=False)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
