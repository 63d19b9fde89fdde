"""`netc new`: start a project.

In: the path of a folder that does not exist. Out: the folder, with a spec that has a train section, data that it learns in seconds, and a
README with the commands. Always: the folder is there complete or not at all.

    $ netc new moons
    wrote moons/moons.net
    wrote moons/data.csv
    wrote moons/README.md
"""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import tempfile
from math import cos, pi, sin

import click

from ..files.atomic_writing import name_path_in_errors
from .command_failure import CommandFailed
from .completion import FolderName
from .service_files import describe_service, make_service_files
from .terminal import write_text

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
ROWS = 400
_SPEC = """\
# Classify points of the plane: two classes, each the shape of a half moon.

point = input 2
scores = point -> dense 16 relu -> dense 16 relu -> dense 2

train {
  label = input [] int64
  loss = (scores, label) -> cross_entropy
  metric accuracy = (scores -> argmax axis=1) == label -> cast float32 -> mean
  data csv "data.csv" point=[x, y] label=moon
  validate 0.2
  optimizer adamw lr=1e-2
  epochs 30
  batch 32
  keep best accuracy
}
"""
_README = """\
# {name}

`{name}.net` describes a network and its training. `data.csv` is the training data: two coordinates and a class in each row.

Check the network, and draw it:

    netc check --shapes {name}.net
    netc draw {name}.net -o {name}.html

Train it. This takes seconds, and writes the weights and the curves into the folder `run`:

    netc train {name}.net -o run

Predict the class of one point, or of each row of a table:

    netc predict run 0.5,0.2
    netc predict run --data data.csv -o predicted.csv

Export the trained network to ONNX, and predict with the file:

    netc compile {name}.net --weights run -o {name}.onnx
    netc predict {name}.onnx 0.5,0.2

Write the network as PyTorch source:

    netc compile {name}.net -o {name}.py

`netc ops` lists the operators, and `netc zoo` the published networks.
"""


@click.command("new")
@click.argument("name", metavar="NAME", type=FolderName())
@click.option("--service", "is_service", is_flag=True, help="Add a Dockerfile that serves the trained network over HTTP.")
def command(name: str, is_service: bool) -> None:
    try:
        files = create_project(name, is_service)
    except CannotCreate as error:
        raise CommandFailed(str(error)) from None
    for file in files:
        write_text(f"wrote {os.path.join(name, file)}")


class CannotCreate(ValueError):
    """The name is not valid for a project, or something with that name exists already."""


def create_project(path: str, is_service: bool = False) -> list[str]:
    """Create the folder, and return the names of its files. `is_service` adds the files of a container. Raises `CannotCreate`, or
    `OSError`."""
    target = os.path.abspath(path)
    name = os.path.basename(target)
    if os.path.basename(path.rstrip(os.sep)) in ("", os.curdir, os.pardir):
        raise CannotCreate(f"`{path}` is not a name for a project, which is a new folder: `netc new moons`")
    if not NAME.fullmatch(name):
        raise CannotCreate(f"`{name}` is not a name for a project: a letter, then letters, digits, `_` and `-`")
    if os.path.lexists(target):
        raise CannotCreate(f"`{path}` exists already")
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    files = {f"{name}.net": _SPEC, "data.csv": _make_moons_csv(), "README.md": _README.format(name=name)}
    if is_service:
        files |= make_service_files(name)
        files["README.md"] += describe_service(name)
    with name_path_in_errors(path):
        _write_folder(files, target)
    return list(files)


def _write_folder(files: dict[str, str], target: str) -> None:
    # written under another name next to the target and renamed, so that a full disk or Ctrl-C leaves no half of a project
    folder = tempfile.mkdtemp(prefix=".netc-", dir=os.path.dirname(target))
    try:
        for file, text in files.items():
            with open(os.path.join(folder, file), "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        os.chmod(folder, 0o777 & ~_get_umask())  # `mkdtemp` lets nobody else read it
        os.rename(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _get_umask() -> int:
    mask = os.umask(0)  # there is no call that only reads it
    os.umask(mask)
    return mask


def _make_moons_csv() -> str:
    """Return points of two interleaved half circles with noise, as CSV. The seed is fixed, so that everybody gets the README's results."""
    draw = random.Random(0)
    lines = ["x,y,moon"]
    for _ in range(ROWS):
        moon = draw.randrange(2)
        angle = draw.uniform(0, pi)
        x, y = (cos(angle), sin(angle)) if moon == 0 else (1 - cos(angle), 0.5 - sin(angle))
        lines.append(f"{x + draw.gauss(0, 0.1):.4f},{y + draw.gauss(0, 0.1):.4f},{moon}")
    return "\n".join(lines) + "\n"
