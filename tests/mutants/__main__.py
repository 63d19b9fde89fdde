"""`python -m mutants [--count N] [--seed N] FOLDER...`: see the package. The exit code is 0 whatever survives: the report is to be read."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.mutants import processes
from tests.mutants.hits import HITS, SITE
from tests.mutants.plan import Plan
from tests.mutants.plugin import Recorder, Selection
from tests.mutants.sites import Mutation, entrances, mutated, mutations, probed, statement_of

PATIENCE = 240
"""CPU seconds for all tests of a mutant."""


class Mutant(NamedTuple):
    """A mistake in a file."""

    path: str
    text: bytes
    mutation: Mutation

    def show(self) -> str:
        line = self.text.count(b"\n", 0, self.mutation.start) + 1
        return f"{self.path}:{line}, {self.mutation.what}"


class Verdict(NamedTuple):
    """`killer` is the test that noticed, or what else ended the run; empty: none did. `ran` of `covering` tests were run."""

    killer: str
    ran: int
    covering: int


def sampled(folders: list[str], count: int, seed: int) -> list[Mutant]:
    """Some of all mistakes, drawn at random; of one place at most one."""
    listed = subprocess.run(["git", "ls-files", "-z", *folders], capture_output=True, text=True, check=True).stdout.split("\0")
    files = sorted(p for p in listed if p.endswith(".py") and not Path(p).is_symlink())
    texts = {path: Path(path).read_bytes() for path in files}
    everything = [Mutant(path, text, m) for path, text in texts.items() for m in mutations(text)]
    random.Random(seed).shuffle(everything)
    places: dict[tuple[str, int, int], Mutant] = {}
    for mutant in everything:
        places.setdefault((mutant.path, mutant.mutation.start, mutant.mutation.end), mutant)
    return list(places.values())[:count]


def copy_tree(folder: Path) -> None:
    """A copy of the working tree: what git knows or would add."""
    folder.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, check=True).stdout
    subprocess.run(["xargs", "-0", "cp", "--no-dereference", "--preserve=all", "--parents", "-t", str(folder)], input=listed, check=True)


def record(mutants: list[Mutant], scratch: Path, workers: int) -> Plan:
    """Run all tests in `workers` processes, with a probe at every mutant: which tests reach it, and how long they take."""
    tree = shutil.copytree(scratch / "original", scratch / "probed", symlinks=True)
    texts = {m.path: m.text for m in mutants}
    files = {path: len(mutants) + index for index, path in enumerate(texts)}
    for path, text in texts.items():
        numbered = [(i, m.mutation) for i, m in enumerate(mutants) if m.path == path]
        (tree / path).write_bytes(probed(text, [*numbered, *((files[path], m) for m in entrances(text))]))
    site = scratch / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    runs = []
    for share in range(workers):
        environment = {"PYTHONPATH": f"{tree}:{site}", HITS: str(scratch / f"hits{share}"), "XDG_CACHE_HOME": str(scratch / "cache")}
        recorder = partial(Recorder, share, workers, list(files), len(mutants) + len(files))
        runs.append(processes.start(tree, [recorder], 3600, scratch / f"record{share}.json", **environment))
    outcomes = []
    for run in runs:
        while (outcome := processes.finished(run)) is None:
            time.sleep(0.2)
        if "tests" not in outcome.summary:
            sys.exit(f"the tests cannot be run: {run.result.with_suffix('.log').read_text()[-3000:]}")
        outcomes.append(outcome)
    parts = [outcome.summary for outcome in outcomes]
    for name in (name for part in parts for name in part["failed"]):
        print(f"left out, since it does not pass without a mistake: {name}", file=sys.stderr)
    if not any(hits for part in parts for _, hits in part["tests"].values()):
        sys.exit("no test reaches any of the code: does the import find another copy of it?")
    processes.preload(sorted({name for part in parts for name in part["modules"]}))
    return Plan(parts, files)


class Worker:
    """A copy of the tree, compiled, and the mutant that is in it at the moment."""

    def __init__(self, scratch: Path, number: int, plan: Plan, changed: set[str]) -> None:
        """`changed`: the files with probes, which are none of the worker's."""
        self.original = scratch / "original"
        self.tree = shutil.copytree(scratch / "probed", scratch / f"tree{number}", symlinks=True)
        for path in changed:
            shutil.copy2(self.original / path, self.tree / path)
        subprocess.run([sys.executable, "-m", "compileall", "-q", *changed], cwd=self.tree, check=True)
        self.result = scratch / f"result{number}.json"
        self.cache = scratch / f"cache{number}"
        self.plan = plan
        self.run: processes.Run | None = None

    def take(self, number: int, mutant: Mutant) -> None:
        """Puts the mutant into the tree, and runs its tests. Its file is newer than any compiled one."""
        self.number, self.mutant = number, mutant
        rounds = self.plan.rounds(number, mutant.path)
        self.tests = sum(map(len, rounds))
        (self.tree / mutant.path).write_bytes(mutated(mutant.text, mutant.mutation))
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.copytree(self.cache.with_name("cache"), self.cache)
        environment = {"XDG_CACHE_HOME": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1"}
        self.run = processes.start(self.tree, (partial(Selection, r) for r in rounds), PATIENCE, self.result, **environment)

    def verdict(self) -> Verdict | None:
        """What became of the mutant, if that is known by now."""
        assert self.run is not None
        outcome = processes.finished(self.run)
        if outcome is None:
            return None
        self.run = None
        shutil.copy2(self.original / self.mutant.path, self.tree / self.mutant.path)  # with its time, which its compiled form is known by
        covering = len(self.plan.covering(self.number, self.mutant.path))
        if outcome.status in processes.PASSED:
            return Verdict("", self.tests, covering)
        ended = "no end" if outcome.status < 0 else "a crash"
        return Verdict(outcome.summary.get("failure") or ended, self.tests, covering)


def judged(mutants: list[Mutant], plan: Plan, scratch: Path, count: int) -> Iterator[tuple[int, Verdict]]:
    """Every mutant with its verdict, in the order in which they were drawn: a stopped run is a sample too."""
    reached = {i: len(plan.covering(i, m.path)) for i, m in enumerate(mutants)}
    waiting = list(enumerate(mutants))[::-1]
    changed = {m.path for m in mutants}
    workers = [Worker(scratch, number, plan, changed) for number in range(count)]
    for worker in workers:
        _control(worker, *min((item for item in waiting if reached[item[0]]), key=lambda item: reached[item[0]]))
    while waiting or any(w.run for w in workers):
        for worker in workers:
            if worker.run is None and waiting:
                number, mutant = waiting.pop()
                if reached[number]:
                    worker.take(number, mutant)
                else:
                    yield number, Verdict("", 0, 0)
            elif worker.run is not None and (found := worker.verdict()) is not None:
                yield worker.number, found
        time.sleep(0.02)


def _control(worker: Worker, number: int, mutant: Mutant) -> None:
    """The tests of a mutant must pass without it, and fail if its file cannot be imported: otherwise they do not test this tree."""
    for new, expected in (("", False), ("raise ImportError\n", True)):
        worker.take(number, mutant._replace(mutation=Mutation(0, 0, new, "control", statement=True)))
        while (found := worker.verdict()) is None:
            time.sleep(0.2)
        if bool(found.killer) != expected:
            log = worker.result.with_suffix(".log").read_text()[-3000:]
            sys.exit(f"the tests {'fail without a mistake' if found.killer else 'do not import the copy of the tree'}: {log}")


def report(mutants: list[Mutant], verdicts: dict[int, Verdict], seed: int) -> str:
    survivors = [i for i, v in sorted(verdicts.items()) if not v.killer]
    summary = f"{len(verdicts)} of {len(mutants)} mutants tested, {len(verdicts) - len(survivors)} killed, {len(survivors)} survive."
    lines = [f"# Mutants\n\nSeed {seed}: {summary}\n"]
    for i in survivors:
        diff = "\n".join(statement_of(mutants[i].text, mutants[i].mutation))
        verdict = verdicts[i]
        lines.append(f"## {mutants[i].show()}\n\n{verdict.ran} of {verdict.covering} tests that may run it\n\n```diff\n{diff}\n```\n")
    lines.append("## Killed\n")
    lines += [f"- {mutants[i].show()}: {v.killer}" for i, v in sorted(verdicts.items()) if v.killer]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mutants", description="Puts mistakes into the code, and sees whether tests notice.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="where the code is")
    parser.add_argument("--count", type=int, default=200, help="the number of mistakes")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--output", type=Path, default=Path("build/mutants.md"), help="where the report goes")
    parser.add_argument("--workers", type=int, default=2, help="the number of processes that run tests")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    mutants = sampled(asked.folders, asked.count, asked.seed)
    verdicts: dict[int, Verdict] = {}
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        scratch = Path(folder)
        copy_tree(scratch / "original")
        plan = record(mutants, scratch, asked.workers)
        for number, verdict in judged(mutants, plan, scratch, asked.workers):
            verdicts[number] = verdict
            asked.output.write_text(report(mutants, verdicts, asked.seed), encoding="utf-8")
            print(f"{len(verdicts):>4} {'killed  ' if verdict.killer else 'SURVIVES'} {mutants[number].show()}", flush=True)
    killed = sum(bool(v.killer) for v in verdicts.values())
    print(f"{killed} of {len(mutants)} mutants are killed; the others are in {asked.output}")


if __name__ == "__main__":
    main()
