"""Builds the playground: a folder that any file server can show (`make playground`).

In: this checkout, the packages of its environment, and node_modules, which npm has filled. Out: build/playground. Always: nothing in it is
loaded from elsewhere; what is not netc's own is taken from the packages and nothing of it is kept in the repository.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MODULES = HERE / "node_modules"
TARGET = ROOT / "build" / "playground"
PYTHON = "cpython-314"
"""Pyodide's Python, as its caches are named."""
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
OWN = ("index.html", "style.css", "worker.mjs")
PARTS = {"netc": "netc", "dsl": "netc/dsl", "compiler": "netc/compiler", "docs/words": "netc/words", "specs": "netc/specs"}
"""Folders of the checkout, and where a page has them."""
LEFT_OUT = re.compile(r"netc/(cli|lsp|compiler/frontends)/")
"""What no question of a page needs."""
SAMPLES = ("vision/resnet.net", "vision/efficientnet.net", "generative/ddpm.net", "text/bert.net", "text/llama.net", "text/whisper.net")


def main() -> None:
    if not MODULES.is_dir():
        sys.exit(f"{MODULES} is missing: npm install, in {HERE}")
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    for name in OWN:
        shutil.copy(HERE / "src" / name, TARGET / name)
    _copied(MODULES / "pyodide", PYODIDE, TARGET / "pyodide")
    _copied(MODULES / "onnxruntime-web" / "dist", RUNTIME, TARGET / "ort")
    esbuild = MODULES / ".bin" / "esbuild"
    options = ["--bundle", "--format=esm", "--minify", "--external:./ort/*", "--log-level=warning"]
    subprocess.run([esbuild, HERE / "src" / "main.js", *options, f"--outfile={TARGET / 'main.js'}"], check=True)
    (TARGET / "python.zip").write_bytes(b"")
    _python(TARGET / "python.zip")
    (TARGET / "lessons.json").write_text(json.dumps(lessons()), encoding="utf-8")
    _offline()
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file())
    print(f"{TARGET}: {size / 1e6:.1f} MB; `netc play` shows it")


def _copied(source: Path, names: tuple[str, ...], to: Path) -> None:
    to.mkdir()
    for name in names:
        shutil.copy(source / name, to / name)


def _python(archive: Path) -> None:
    """netc, what it imports in a page, and the tables of its grammar."""
    found: dict[str, bytes] = {}
    for folder, home in PARTS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            name = f"{home}/{path.relative_to(ROOT / folder).as_posix()}"
            if path.is_file() and path.suffix in (".py", ".lark", ".md", ".net") and not LEFT_OUT.match(name):
                found[name] = path.read_bytes()
    for folder in (HERE / "python", HERE / "python" / "stand_ins"):
        for path in sorted(folder.rglob("*.py")):
            if folder.name == "stand_ins" or path.parent == folder:
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    found["onnx/onnx_ml_pb2.py"] = (_package("onnx") / "onnx_ml_pb2.py").read_bytes()
    protobuf = _package("google.protobuf")
    found |= {f"google/protobuf/{path.relative_to(protobuf).as_posix()}": path.read_bytes() for path in sorted(protobuf.rglob("*.py"))}
    found |= _tables()
    with ZipFile(archive, "w", ZIP_DEFLATED) as file:
        for name, content in found.items():
            file.writestr(ZipInfo(name), content, ZIP_DEFLATED)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def _tables() -> dict[str, bytes]:
    """The tables of the grammar as the page's Python caches them, so that it needs no Lark."""
    from netc.dsl import grammar

    text = grammar.grammar_text()
    name = grammar.cache_name(text, PYTHON)
    path = ROOT / "build" / name
    grammar.write_cache(str(path), grammar.build_tables(text))
    return {f"cache/netc/{name}": path.read_bytes()}


def lessons() -> list[dict[str, object]]:
    """The tutorial's, those of docs/examples.md, and some published networks."""
    made: list[dict[str, object]] = json.loads((HERE / "lessons" / "tutorial.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    for title, text in re.findall(r"^\*\*(.+?)\.?\*\*.*?^```net\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        made.append({"group": "The language", "title": title, "text": text})
    networks = {path: (ROOT / "specs" / path).read_text(encoding="utf-8") for path in SAMPLES}
    return made + [{"group": "Published networks", "title": path, "text": text} for path, text in networks.items()]


def _offline() -> None:
    """The worker that keeps the page, with the names and the hash of all files."""
    files = sorted(path for path in TARGET.rglob("*") if path.is_file())
    names = ["./", *(f"./{path.relative_to(TARGET).as_posix()}" for path in files)]
    build = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    text = (HERE / "src" / "offline.js").read_text(encoding="utf-8")
    (TARGET / "offline.js").write_text(text.replace("BUILD", build).replace('"FILES"', json.dumps(names)), encoding="utf-8")


if __name__ == "__main__":
    main()
