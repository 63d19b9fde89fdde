"""Both archives of a release, each installed alone in an environment of its own and used from another folder (`make dist`).

In: a folder with one wheel and one sdist. Out: a line for each; failure if one fails. Always: an environment has what the archive asks
for and nothing of this one, and is removed afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = 'use "std/mlp.net"\ninput [T, 8] -> mlp 16\n'
WHERE = "import netc, os; print(os.path.dirname(netc.__file__), netc.__version__)"
COMMANDS = (
    "netc check --shapes spec.net",
    "netc zoo resnet50",
    "netc compile spec.net -o spec.py",
    "netc compile spec.net -o spec.onnx",
    "netc run spec.net --random --dim T=3",
    "netc run spec.onnx --random --dim T=3",
    "netc draw spec.net -o spec.html",
    "netc explain wrong-rank",
    "netc ops conv",
    "netc new project",
    "netc train project/project.net -o run",
    "python spec.py",
)
"""What a newcomer does first, and what needs the data files of the package."""


def main(folder: Path) -> int:
    archives = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
    if [path.suffix for path in archives] != [".whl", ".gz"]:
        print(f"{folder} does not have one wheel and one sdist, but {[path.name for path in archives]}")
        return 1
    problems = {path.name: _problem(path) for path in archives}
    for name, problem in problems.items():
        print(f"{name}: {problem or 'installed, and works'}")
    return int(any(problems.values()))


def _problem(archive: Path) -> str:
    """What is wrong with it, or nothing."""
    print(f"{archive.name}: installing", flush=True)
    with tempfile.TemporaryDirectory(prefix="netc-release-") as folder:
        home = Path(folder)
        programs, work = home / "venv" / ("Scripts" if os.name == "nt" else "bin"), home / "work"
        work.mkdir()
        (work / "spec.net").write_text(SPEC, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
        install = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", archive.resolve()]
        if subprocess.run(install, cwd=work, check=False).returncode:
            return "cannot be installed"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NETC"))}
        where = subprocess.run([programs / "python", "-c", WHERE], cwd=work, env=environment, capture_output=True, text=True, check=False)
        if not where.stdout.startswith(str(home)):
            return f"netc is imported from elsewhere: {where.stdout}{where.stderr}"
        for command in COMMANDS:
            program, *arguments = command.split()
            done = subprocess.run([programs / program, *arguments], cwd=work, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"`{command}` ends with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
