"""`make pictures`: the pictures of README.md and docs/architecture.md, drawn from what netc says today.

The curves come from a training, so their numbers differ between machines: they are drawn only with `--train`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from flow import draw_flow
from scenes import draw_animation
from tiles import draw_editor, draw_import, draw_stream

FOLDER = Path(__file__).parent
README = FOLDER.parents[1] / "README.md"
PICTURES = {
    "animation.svg": draw_animation,
    "import.svg": draw_import,
    "stream.svg": draw_stream,
    "editor.svg": draw_editor,
    "flow.svg": draw_flow,
}


def main() -> None:
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
        print("wrote", name, flush=True)
    if "--train" in sys.argv[1:]:
        draw_curves(FOLDER / "curves.svg")


def draw_curves(path: Path) -> None:
    """Train the network of README.md, and draw its losses and accuracy."""
    spec = re.search(r"^```net file=digits.net\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert spec is not None
    with TemporaryDirectory() as folder:
        Path(folder, "digits.net").write_text(spec[1], encoding="utf-8")
        for words in (("train", "digits.net", "-o", "run"), ("plot", "run", "-o", str(path))):
            subprocess.run([sys.executable, "-m", "netc", *words], cwd=folder, check=True)


if __name__ == "__main__":
    main()
