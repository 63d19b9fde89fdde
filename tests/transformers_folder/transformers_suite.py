"""Run the tests that transformers has for all its models on the folders that netc writes.

    python -m tests.transformers_folder.transformers_suite CHECKOUT [NAME ...]

CHECKOUT is a checkout of https://github.com/huggingface/transformers, whose package `tests` is imported as it is: `ModelTesterMixin`, and
for models that generate `GenerationTesterMixin`. NAME selects folders. Tests that transformers itself skips, because a GPU, a package or a
property of the model is missing, count as skipped.
"""

from __future__ import annotations

import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import click
import torch
from transformers import AutoConfig
from transformers.dynamic_module_utils import get_class_from_dynamic_module
from transformers.models.auto import modeling_auto

from transformers_folder.folders import FOLDERS, SUITE

BATCH, LENGTH = 2, 7
_NAMES = {
    "AutoModel": "MODEL_MAPPING_NAMES",
    "AutoModelForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "AutoModelForMaskedLM": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "AutoModelForImageClassification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
}
"""The tables of transformers with the names of classes, by the class that loads them."""


class Tester:
    """What the mixins ask for a model: a configuration, and inputs."""

    is_training = True
    batch_size, seq_length = BATCH, LENGTH

    def __init__(self, config: Any, inputs: dict[str, torch.Tensor]) -> None:
        self.config, self.inputs = config, inputs
        for name in ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size"):
            if hasattr(config, name):
                setattr(self, name, getattr(config, name))

    def get_config(self) -> Any:
        return type(self.config).from_dict(self.config.to_dict())

    def prepare_config_and_inputs_for_common(self) -> tuple[Any, dict[str, torch.Tensor]]:
        return self.get_config(), {name: tensor.clone() for name, tensor in self.inputs.items()}

    def prepare_config_and_inputs(self) -> tuple[Any, dict[str, torch.Tensor]]:
        return self.prepare_config_and_inputs_for_common()


def load_classes(folder: Path) -> list[type]:
    """Load the classes of a folder: the model with its head, and the base model if it has one."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    return [get_class_from_dynamic_module(place, str(folder)) for name, place in config.auto_map.items() if name != "AutoConfig"]


def make_case(name: str, folder: Path) -> type[unittest.TestCase]:
    """Make the class of tests for a folder."""
    from tests.generation.test_utils import GenerationTesterMixin
    from tests.test_modeling_common import ModelTesterMixin

    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    classes = load_classes(folder)
    for auto_class, place in config.auto_map.items():
        # by the names of classes, the mixins know which inputs and labels a model takes
        if auto_class in _NAMES:
            getattr(modeling_auto, _NAMES[auto_class])[name] = place.rpartition(".")[2]
    inputs = FOLDERS[name].draw_inputs(BATCH, LENGTH)
    mixins = [ModelTesterMixin]
    if any(cls.can_generate() for cls in classes):
        mixins.append(GenerationTesterMixin)

    def set_up(self: Any) -> None:
        self.model_tester = Tester(config, inputs)
        self.model_tester.seq_length = FOLDERS[name].settings.get("length", LENGTH)
        self.config_tester = None

    namespace = {
        "all_model_classes": tuple(classes),
        "setUp": set_up,
        "__module__": f"netc.folders.{name}",
        **FOLDERS[name].settings,
    }
    return type(f"Test_{name}", (*mixins, unittest.TestCase), namespace)


@click.command(help=__doc__)
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("names", nargs=-1)
@click.option("-k", "pattern", default="", help="Run only the tests whose names contain this.")
def main(checkout: Path, names: tuple[str, ...], pattern: str) -> None:
    sys.path.insert(0, str(checkout))
    sys.modules.pop("tests", None)  # this package has the name of the checkout's
    failed = False
    with tempfile.TemporaryDirectory() as place:
        for name in names or SUITE:
            folder = FOLDERS[name].save(Path(place) / name)
            suite = unittest.TestSuite(
                test for test in unittest.defaultTestLoader.loadTestsFromTestCase(make_case(name, folder)) if pattern in test.id()
            )
            result = unittest.TextTestRunner(stream=sys.stderr, verbosity=1).run(suite)
            bad = [*result.failures, *result.errors]
            reasons = Counter(reason for _, reason in result.skipped)
            passed = result.testsRun - len(result.skipped) - len({str(test) for test, _ in bad})
            print(f"{name}: {passed} passed, {len(bad)} failed, {len(result.skipped)} skipped")
            for reason, count in reasons.most_common():
                print(f"    skipped {count}: {reason}")
            for test, text in bad:
                print(f"    failed {test.id().rpartition('.')[2]}: {text.strip().splitlines()[-1]}")
            failed |= bool(bad)
    sys.exit(failed)


if __name__ == "__main__":
    main()
