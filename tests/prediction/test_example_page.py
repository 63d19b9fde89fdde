"""The page of `netc compile --example javascript` in Chromium: the numbers of `netc predict`, and no text that becomes markup.

It runs where Node finds onnxruntime-web and playwright-core (`make playground`, or `NETC_NODE_MODULES`), and Chromium is installed.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import netc
from tests.prediction.example_runs import (
    COLUMNS,
    HARD,
    NODE_MODULES,
    ROWS,
    WRONG,
    compile_example,
    folder,
    predict_row,
    read_numbers,
    replace_cell,
    train_on_images,
)

__all__ = ["folder"]
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
in_chromium = pytest.mark.skipif(
    not (CHROMIUM and (NODE_MODULES / "playwright-core").is_dir() and (NODE_MODULES / "onnxruntime-web").is_dir()),
    reason="Chromium, playwright-core or onnxruntime-web is not installed: make playground",
)
CODE = "</script><img src=x onerror=alert(1)><!--"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        """Print nothing."""


def visit(folder: Path, page: str, tries: list[Any]) -> Iterator[dict[str, Any]]:
    """What the page answers to each thing to try."""
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "tries.json").write_text(json.dumps(tries), encoding="utf-8")
    script = shutil.copy(Path(__file__).with_name("example_page.mjs"), folder)
    shot = Path(os.environ.get("NETC_SCREENSHOTS", folder)) / f"{page}.png"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/{page}"
        environment = os.environ | {"CHROMIUM": CHROMIUM}
        words = ["node", script, address, str(folder / "tries.json"), str(shot)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)
        server.shutdown()
    assert done.returncode == 0, done.stderr[-3000:]
    for answer in map(json.loads, filter(None, done.stdout.split("\n"))):
        assert (answer["dialogs"], answer["images"]) == ([], 0)
        yield answer


def test_the_page_is_written_with_the_program_and_no_text_of_the_data_is_code(folder: Path) -> None:
    done = compile_example(folder, "javascript")
    assert (done.exit_code, "trees_example.mjs` and `" in done.stderr) == (0, True), done.stderr
    text = (folder / "trees_example.html").read_text(encoding="utf-8")
    assert "innerHTML" not in text
    assert (text.count("<script"), text.count("</script>"), text.count("<!--")) == (1, 1, 1)
    assert not any(line.strip().startswith(("import ", "http")) for line in text.splitlines())
    again = compile_example(folder, "javascript", name="other")
    assert again.exit_code == 0


def choose(name: str, cell: str) -> str:
    """The text that the page's field offers for a cell: two choices for a boolean, and no spaces around a category."""
    if name == "fresh":
        return "true" if cell.lower().startswith("y") else "false"
    return cell.strip() if name == "place" and cell != HARD else cell


@pytest.mark.long
@in_chromium
def test_a_page_predicts_rows_as_netc_does(folder: Path) -> None:
    assert compile_example(folder, "javascript").exit_code == 0
    rows = [[choose(name, cell) for name, cell in zip(COLUMNS, row, strict=True)] for row in ROWS]
    typed = [(name, cell) for name, cell in WRONG if name not in ("fresh", "place")]  # a list of choices has no wrong one
    wrong = [replace_cell(rows[0], name, cell) for name, cell in typed]
    answers = list(visit(folder, "trees_example.html", [*rows, *wrong]))
    for row, answer in zip(ROWS, answers, strict=False):
        expected = predict_row(folder, row)
        assert answer["problem"] == ""
        assert read_numbers("\n".join(answer["answers"])) == read_numbers(expected.stdout.replace("\\u{2028}", "\u2028"))
    for wish, answer in zip(typed, answers[len(rows) :], strict=True):
        assert (answer["answers"], bool(answer["problem"])) == ([], True), wish


@pytest.mark.long
@in_chromium
@pytest.mark.parametrize(("image", "size"), [("3x16x16", "16"), ("1x12x20", "[12, 20]"), ("3x16x16 uint8", "16")])
def test_a_page_predicts_images_as_netc_does(tmp_path: Path, image: str, size: str) -> None:
    classes = ("ash", CODE.replace("/", "\u2044"), "oak")
    train_on_images(tmp_path, classes, image, size)
    done = compile_example(tmp_path, "javascript")
    assert (done.exit_code, (tmp_path / "trees_example.mjs").exists()) == (0, False), done.stderr
    generator = np.random.default_rng(5)
    paths = []
    for i, mode in enumerate(("RGB", "L", "P", "RGB", "RGB")):
        pixels = generator.integers(0, 256, (9 + 30 * i, 50 - 8 * i, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{i}.{('png', 'png', 'png', 'bmp', 'jpg')[i]}")
        Image.fromarray(pixels).convert(mode).save(paths[-1])
    Image.fromarray(np.ones((16, 16), np.uint16)).save(tmp_path / "wide.png")
    Image.fromarray(np.full((16, 16, 4), 90, np.uint8)).save(tmp_path / "clear.png")
    (tmp_path / "text.png").write_text("no image")
    refused = [str(tmp_path / name) for name in ("wide.png", "clear.png", "text.png")]
    answers = list(visit(tmp_path, "trees_example.html", [*map(str, paths), *refused]))
    predictor = netc.load(tmp_path / "trees.onnx")
    for path, answer in zip(paths, answers, strict=False):
        expected = predictor([str(path)])
        shown = dict(line.rsplit("  ", 1) for line in answer["answers"] if "  " in line)
        assert answer["answers"][0] == f"label: {expected['predicted_label'][0]}"
        # four digits are shown; the JPEG is decoded by another decoder
        allowed = 5e-3 if path.suffix == ".jpg" else 6e-5
        assert {n: float(p) for n, p in shown.items()} == {n: pytest.approx(expected[f"probability_{n}"][0], abs=allowed) for n in classes}
    assert [bool(answer["problem"]) for answer in answers[len(paths) :]] == [True] * 3
