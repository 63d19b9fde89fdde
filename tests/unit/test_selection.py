"""Parts of checkpoints, and names with prefixes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import netc
from netc.compiler.errors.weight_errors import PatternUnused, WeightsError, WeightsMismatch, WeightsNote

MODEL = netc.compile("input 4 -> dense 3 relu as backbone -> dense 2 as fc")


def state(prefix: str = "") -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in MODEL.module(seed=7).state_dict().items()}


def taken(weights: netc.Checkpoint | dict[str, Tensor], **options: Any) -> dict[str, Tensor]:
    return MODEL.module(weights=weights, **options).state_dict()  # type: ignore[no-any-return]


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def mismatch(weights: object) -> WeightsMismatch:
    with pytest.raises(WeightsError) as caught:
        taken(weights)  # type: ignore[arg-type]
    assert isinstance(caught.value.problem, WeightsMismatch)
    return caught.value.problem


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model."])
def test_wrappers_are_removed(prefix: str) -> None:
    with pytest.warns(WeightsNote, match=f"the prefix `{prefix}` was removed"):
        found = taken(state(prefix))
    assert same(found, state())


def test_those_that_pytorch_adds(tmp_path: Path) -> None:
    """torch.compile and DataParallel themselves."""
    inner = MODEL.module(seed=7)
    for wrapped in (torch.compile(inner), torch.nn.DataParallel(inner), torch.compile(torch.nn.DataParallel(inner))):
        torch.save(wrapped.state_dict(), tmp_path / "w.pt")
        with pytest.warns(WeightsNote):
            assert same(MODEL.module(weights=tmp_path / "w.pt").state_dict(), state())


def test_a_prefix_of_the_model_stays() -> None:
    model = netc.compile("input 4 -> (dense 3 as module -> dense 2 as head) as model")
    own = model.module(seed=1).state_dict()
    assert next(iter(own)) == "model.module.weight"
    assert same(model.module(weights=own).state_dict(), own)


def test_other_prefixes_are_named() -> None:
    assert mismatch(state("net.")).prefix == "net."
    assert same(taken(netc.Checkpoint(state("net."), strip_prefix="net.")), state())
    assert mismatch(netc.Checkpoint(state("module."), strip_prefix="")).prefix == "module."


def test_names_without_the_prefix_stay() -> None:
    own = state()
    mixed = {name if name.startswith("fc") else f"encoder.{name}": tensor for name, tensor in own.items()}
    assert same(taken(netc.Checkpoint(mixed, strip_prefix="encoder.")), own)


def test_a_name_with_the_prefix_and_without() -> None:
    with pytest.raises(WeightsError, match=r"`backbone\.weight` is there twice"):
        taken(netc.Checkpoint({**state(), **state("net.")}, strip_prefix="net."))


def test_a_new_head() -> None:
    """What is allowed to be missing is what the seed draws alone."""
    own = state()
    own["fc.weight"] = torch.ones(1000, 3)
    own["fc.bias"] = torch.ones(1000)
    weights = netc.Checkpoint(own, ignore=["fc.*"], allow_missing=["fc.*"])
    with pytest.warns(WeightsNote) as caught:
        found = taken(weights, seed=3)
    assert [str(w.message) for w in caught] == [
        "left out of the weights: `fc.weight`, `fc.bias`",
        "initialized, since they are not in the weights: `fc.weight`, `fc.bias`",
    ]
    new = MODEL.module(seed=3).state_dict()
    assert same(
        found, {**{n: t for n, t in own.items() if n.startswith("backbone")}, "fc.weight": new["fc.weight"], "fc.bias": new["fc.bias"]}
    )
    with pytest.warns(WeightsNote):
        session = MODEL.session(weights, seed=3)
    assert np.array_equal(session(np.ones((1, 4))), MODEL.session(found)(np.ones((1, 4))))  # type: ignore[arg-type]


def test_what_is_compared_without_being_used() -> None:
    own = {**state("module."), "module.aux.0": torch.ones(1)}
    del own["module.fc.bias"]
    found = netc.Checkpoint(own, ignore=["aux.*"], allow_missing=["fc.*"]).compare(MODEL)
    assert (found.prefix, found.ignored, found.drawn) == ("module.", ("module.aux.0",), ("fc.bias",))
    assert list(found) == list(MODEL.parameters)


@pytest.mark.parametrize("pattern", ["module.aux.*", "aux.*", "*.aux.?", "*aux*"])
def test_patterns_of_names_with_the_prefix_or_without(pattern: str) -> None:
    with pytest.warns(WeightsNote):
        assert same(taken(netc.Checkpoint({**state("module."), "module.aux.0": torch.ones(1)}, ignore=[pattern])), state())


def test_only_what_is_allowed_may_be_missing() -> None:
    own = state()
    del own["fc.bias"], own["backbone.bias"]
    assert mismatch(netc.Checkpoint(own, allow_missing=["fc.*"])).missing == ("backbone.bias",)


def test_what_is_there_is_taken_in_any_case() -> None:
    assert same(taken(netc.Checkpoint(state(), allow_missing=["*"])), state())


@pytest.mark.parametrize(
    "options",
    [{"ignore": ["auxx.*"]}, {"allow_missing": ["fcc.*"]}, {"strip_prefix": "modul."}, {"ignore": ["aux"], "allow_missing": ["fc.*"]}],
)
def test_a_misspelt_pattern_is_an_error(options: dict[str, Any]) -> None:
    with pytest.raises(WeightsError) as caught:
        taken(netc.Checkpoint(state(), **options))
    assert isinstance(caught.value.problem, PatternUnused)
    assert "fits `" in str(caught.value)


def test_a_tied_parameter_may_be_allowed_by_either_name() -> None:
    model = netc.compile("tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head")
    for pattern in ("wte.*", "head.*"):
        with pytest.warns(WeightsNote, match=r"initialized.*`wte\.weight`"):
            found = model.module(weights=netc.Checkpoint({}, allow_missing=[pattern])).state_dict()
        assert torch.equal(found["wte.weight"], model.module(seed=0).state_dict()["wte.weight"])


@pytest.mark.parametrize(("options", "said"), [({"ignore": "fc.*"}, "several patterns"), ({"allow_missing": [3]}, "must be a str")])
def test_arguments(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        netc.Checkpoint({}, **options)
    with pytest.raises(ValueError, match="empty list"):
        netc.Checkpoint([])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_that_are_all_widened_get_a_note(dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    narrow = {key: value.to(dtype) for key, value in state().items()}
    with pytest.warns(WeightsNote, match=f"the weights are {name} and become float32.*in more bytes; `--dtype {name}`"):
        taken(narrow)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MODEL.module(weights=narrow, dtype=name)
        taken({**narrow, next(iter(narrow)): next(iter(state().values()))})
        taken(state())
