"""The page of docs/guides/export.md runs in a browser, and shows ONNX Runtime's numbers.

The tests of the guides skip its HTML, because it needs Chromium and the playground's copy of onnxruntime-web.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import netc
from tests.docs.test_guides import DOCS, FENCE

NODE_MODULES = Path(__file__).parents[2] / "playground" / "node_modules"
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), "")


@pytest.mark.long
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.skipif(not (NODE_MODULES / "onnxruntime-web").is_dir(), reason="the playground is not built: make playground")
def test_the_page_shows_probabilities(tmp_path: Path) -> None:
    fences = {match["kind"]: match["text"] for match in FENCE.finditer((DOCS / "guides" / "export.md").read_text(encoding="utf-8"))}
    model = netc.compile(fences["net"])
    model.save(tmp_path / "flowers.onnx", seed=0)
    (tmp_path / "index.html").write_text(fences["html"], encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom")
        done = subprocess.run([CHROMIUM, *flags, address], capture_output=True, text=True, timeout=120, check=True)
        server.shutdown()
    (shown,) = re.findall(r'<p id="answer">([^<]*)</p>', done.stdout)
    expected = model.session(seed=0)(np.float32([[5.1, 3.5, 1.4, 0.2]]))
    np.testing.assert_allclose([float(number) for number in shown.split()], expected[0], atol=1e-6)
