"""Where the installed package `netc` comes from: folders at the top level become packages inside it. The rest is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = {
    "netc": "netc",
    "netc.dsl": "dsl",
    "netc.compiler": "compiler",
    "netc.pages": "docs/errors",
    "netc.words": "docs/words",
    "netc.specs": "specs",
}

setup(
    package_dir=FOLDERS,
    packages=sorted({*FOLDERS, *(f"{package}.{name}" for package, folder in FOLDERS.items() for name in find_packages(folder))}),
)
