"""How long imported texts are, against those that were written by hand for the same model: `python -m imports.readable`.

In: a model of each family of specs/vision and specs/text that torchvision or transformers has. Out: a line for each; with `--update`, the
table of docs/import.md. Always: lines are those that are neither empty nor a comment; what a spec written by hand needs of other files is
counted with it.
"""

from __future__ import annotations

import argparse
import re
import warnings
from statistics import median

import torch
from imports.cases import case
from imports.measured import code_lines
from imports.page import replace
from zoo import extent
from zoo.catalogue import Entry, entries, files

from netc.dsl.record import Record
from netc.importing.module_origin import make_module_origin
from netc.importing.run_import import import_spec

GOAL = 1.6
VISION = [
    *("resnet50", "vgg16", "alexnet", "densenet121", "googlenet", "inception_v3", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_0"),
    *("shufflenet_v2_x1_0", "mnasnet1_0", "efficientnet_b0", "convnext_tiny", "regnet_x_400mf", "swin_t", "vit_b_16"),
]
TEXT = {
    "bert_base": "bert with a mask",
    "distilbert_base": "distilbert",
    "gpt2": "gpt2",
    "llama_7b": "llama",
    "mistral_7b": "mistral",
    "roberta_base": "roberta",
    "t5_small": "t5",
}
_BLOCK = re.compile(r"^block \w+(.*?^\})", re.MULTILINE | re.DOTALL)


class Compared(Record):
    """Two texts of one model: lines, whether they have loops, and blocks of the imported one that say the same but for numbers."""

    model: str
    imported: int
    by_hand: int
    loops: bool
    loops_by_hand: bool
    twice: int

    @property
    def ratio(self) -> float:
        return self.imported / self.by_hand


def compared(entry: Entry, of: str, name: str) -> Compared:
    made = case(of, name)
    origin = make_module_origin(made.module.eval(), made.positional, made.named, made.dims, name)
    text = import_spec(origin, verify=False).text
    bodies = [re.sub(r"\b\d[\w.]*", "#", body) for body in _BLOCK.findall(text)]
    written = "\n".join(extent.texts(entry))
    return Compared(
        entry.model, code_lines(text), extent.lines(entry), " repeat " in text, " repeat " in written, len(bodies) - len(set(bodies))
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write docs/import.md")
    parser.add_argument("names", nargs="*", help="only these")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    known = {entry.model: entry for spec in files() for entry in entries(spec)}
    wanted = [(name, "torchvision", name) for name in VISION] + [(name, "transformers", of) for name, of in TEXT.items()]
    found: list[Compared] = []
    for model, of, name in wanted:
        if not asked.names or model in asked.names:
            found.append(compared(known[model], of, name))
            print(_row(found[-1]), flush=True)
    print(_summary(found))
    if asked.update:
        head = ["| model | imported | by hand | ratio | loops | loops by hand |", "|---|---:|---:|---:|---|---|"]
        replace("readable", "\n".join([_summary(found), "", *head, *map(_row, found)]))
    return 0


def _row(one: Compared) -> str:
    loops = ["yes" if there else "no" for there in (one.loops, one.loops_by_hand)]
    return f"| {one.model} | {one.imported} | {one.by_hand} | {one.ratio:.2f} | {' | '.join(loops)} |"


def _summary(found: list[Compared]) -> str:
    ratios = [one.ratio for one in found]
    good = sum(ratio <= GOAL for ratio in ratios)
    return (
        f"Of {len(found)} models, {good} have at most {GOAL} times the lines of the spec that was written by hand; the median is "
        f"{median(ratios):.2f}. {sum(one.twice for one in found)} blocks are there twice."
    )


if __name__ == "__main__":
    raise SystemExit(main())
