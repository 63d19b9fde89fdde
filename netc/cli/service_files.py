"""The files that `netc new --service` adds to a project: a container that serves the trained network over HTTP.

In: the name of the project. Out: the texts of the files by name. Always: the image has ONNX Runtime and netc, but not PyTorch, which only
training needs; the server runs as a user without rights.

    >>> sorted(make_service_files("moons"))
    ['.dockerignore', 'Dockerfile', 'requirements.txt']
"""

from __future__ import annotations

REQUIREMENTS = (
    "click>=8.4.2,<9",
    "httptools>=0.6.4",
    "lark>=1.1.9,<2",
    "ml_dtypes>=0.5",
    "numpy>=2.1,<3",
    "onnx>=1.19,<2",
    "onnxruntime>=1.30,<2",
    "prometheus-client>=0.20",
    "python-multipart>=0.0.18",
    "rich>=13",
    "safetensors>=0.8,<1",
    "starlette>=0.47",
    "uvicorn>=0.34",
)
"""What `netc serve` needs for an ONNX file: netc's own requirements without PyTorch, and the extra `serve`. A test compares them with
pyproject.toml."""
_DOCKERFILE = """\
# The service of {name}.onnx. README.md has the commands.
FROM python:3.12-slim

WORKDIR /service
COPY requirements.txt ./
RUN pip install --no-cache-dir --requirement requirements.txt

# Without its other requirements, of which PyTorch is the largest: only training needs it.
COPY netc-*.whl ./
RUN pip install --no-cache-dir --no-deps ./netc-*.whl

COPY {name}.onnx ./
RUN useradd --system --no-create-home --uid 10001 service
USER service

EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \\
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
CMD ["netc", "serve", "{name}.onnx", "--host", "0.0.0.0", "--port", "8000"]
"""
_DOCKERIGNORE = """\
*
!requirements.txt
!*.onnx
!netc-*.whl
"""
_README = """
## Service

Export the trained network, and serve it on this machine:

    netc compile {name}.net --weights run -o {name}.onnx
    netc serve {name}.onnx

Ask it from another terminal; http://localhost:8000/docs describes the API:

    curl localhost:8000/predict --json '{{"x": 0.5, "y": 0.2}}'

Build a container and run it. Build netc's wheel first, with `make dist` in its checkout, and copy it here:

    cp PATH/TO/netc/dist/netc-*.whl .
    docker build -t {name} .
    docker run --rm -p 127.0.0.1:8000:8000 {name}

`docker stop` lets the server answer all requests first. The server has no passwords and no TLS: let a proxy that has them pass requests on
to it.
"""


def make_service_files(name: str) -> dict[str, str]:
    """Return the additional files of a project."""
    return {
        "Dockerfile": _DOCKERFILE.format(name=name),
        ".dockerignore": _DOCKERIGNORE,
        "requirements.txt": "".join(f"{line}\n" for line in REQUIREMENTS),
    }


def describe_service(name: str) -> str:
    """Return the additional section of the project's README."""
    return _README.format(name=name)
