"""Lints the prose of the pages with proselint: repeated words, redundancies, cliches and other mistakes of style.

In: README.md, CONTRIBUTING.md, CHANGELOG.md and the pages under docs/ that people wrote. Out: the findings, and the exit status 1 if there
is one. Always: only prose is checked. Code blocks, inline code, tables, headings and links are blanked, so that line numbers stay.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
GENERATED = ("operators", "words", "notebooks")
"""Folders under docs/ whose pages are generated from docstrings and tables."""
CONFIG = {
    "checks": {
        "dates_times": False,  # nothing here is a date, and an abbreviation in capitals is taken for one
        "typography": False,  # curly quotes are the theme's business, and "resume" is a verb here
        "misc.phrasal_adjectives.ly": False,  # takes the "multiply" of "multiply-adds" for an adverb
    }
}


def find_pages() -> list[Path]:
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return pages + [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.relative_to(ROOT / "docs").parts[0] not in GENERATED]


def keep_prose(text: str) -> str:
    """Blank everything that is not prose, line by line."""
    text = re.sub(r"^(```|~~~).*?^\1[ \t]*$", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^( {4}|\||#).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"<!--.*?-->", "", text)
    names = count()
    text = re.sub(r"`[^`\n]*`", lambda match: f"name{next(names)}", text)  # different ones, since a repeated word is a finding
    return re.sub(r"\]\([^)\n]*\)|!\[[^\]]*", "", text)


def main() -> int:
    with TemporaryDirectory() as folder:
        config = Path(folder, "proselint.json")
        config.write_text(json.dumps(CONFIG), encoding="utf-8")
        for page in find_pages():
            copy = Path(folder, "pages", page.relative_to(ROOT))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(keep_prose(page.read_text(encoding="utf-8")), encoding="utf-8")
        command = [sys.executable, "-m", "proselint", "check", "--config", str(config), str(Path(folder, "pages"))]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        print(result.stdout.replace(f"{Path(folder, 'pages').resolve()}/", "").strip() or result.stderr.strip() or "no findings")
        return result.returncode


if __name__ == "__main__":
    sys.exit(main())
