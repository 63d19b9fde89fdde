"""Build the package `netc`: folders at the top level become packages inside it. The rest is in pyproject.toml.

The description that package indexes show is README.md. Its links and pictures are files of the repository, which an index does not have.
"""

import re
import tomllib
from pathlib import Path

from setuptools import find_namespace_packages, find_packages, setup

ROOT = Path(__file__).resolve().parent
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")
PICTURE = re.compile(r"!\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?![a-z]+:)([^)\s]+)\)")
"""The words of a picture may have shapes, `[N, 3]`."""

FOLDERS = {
    "netc": "netc",
    "netc.dsl": "dsl",
    "netc.compiler": "compiler",
    "netc.pages": "docs/errors",
    "netc.words": "docs/words",
    "netc.specs": "specs",
}


def description(readme: str, repository: str | None) -> str:
    """Return the text with links and pictures from the repository; with words and no pictures while the project names no repository."""
    readme = PICTURE.sub("" if repository is None else rf"![\1]({repository}/raw/HEAD/\2)", readme)
    return LINK.sub(r"\1" if repository is None else rf"[\1]({repository}/blob/HEAD/\2)", readme)


def repository() -> str | None:
    """The address in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: str | None = project.get("urls", {}).get("Repository")
    return found


def packages() -> list[str]:
    """All of them; the folders of specs too, which have no Python."""
    code = (f"{package}.{name}" for package, folder in FOLDERS.items() for name in find_packages(folder))
    return sorted({*FOLDERS, *code, *(f"netc.specs.{name}" for name in find_namespace_packages("specs"))})


if __name__ == "__main__":
    setup(
        package_dir=FOLDERS,
        packages=packages(),
        long_description=description((ROOT / "README.md").read_text(encoding="utf-8"), repository()),
        long_description_content_type="text/markdown",
    )
