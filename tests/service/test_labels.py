"""Labels: their references, the parameters of labeled stages, and names that can be renamed."""

from __future__ import annotations

import pytest

from netc.service.completion_items import find_completions
from netc.service.navigation import RenameRefused, find_references, find_renamable
from netc.service.workspace import Workspace
from tests.service.asked import RESIDUAL, checked_at

TIED = "x = input [T] int64\ny = x -> embedding 9 4 as words -> dense 9 tie=words\nz = x -> embedding 9 4 as other\nout y, z"


@pytest.mark.parametrize("marked", [TIED.replace("as words", "as wo|rds"), TIED.replace("tie=words", "tie=|words")])
def test_references_of_a_label(marked: str) -> None:
    """The tie, and the label itself if it is asked for."""
    workspace, checked, offset = checked_at(marked)
    label, tie = TIED.index("words"), TIED.index("words\n")
    assert [span.start for span in find_references(workspace, checked, offset)] == [label, tie]
    assert [span.start for span in find_references(workspace, checked, offset, declaration=False)] == [tie]


def test_a_label_without_references() -> None:
    workspace, checked, offset = checked_at(TIED.replace("as other", "as o|ther"))
    assert find_references(workspace, checked, offset, declaration=False) == []


@pytest.mark.parametrize(
    ("stage", "parameters"),
    [
        ("dense 4 as fc", ["weight", "bias"]),
        ("dense 4 bias=false as fc", ["weight"]),
        ("batch_norm as fc", ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]),
        ("relu as fc", []),
        ("dense 4 as another", []),
    ],
)
def test_parameters_of_a_stage_after_its_label(stage: str, parameters: list[str]) -> None:
    """PyTorch's names, from the text before the change: a text that ends in a dot has no graph."""
    labels = complete_after(f"x = input 4\nh = x -> {stage}\nh + ", "x", "fc.")
    assert labels[: len(parameters)] == parameters
    assert labels[len(parameters)] == "shape"


def complete_after(start: str, before: str, after: str) -> list[str]:
    """The suggestions at the end of a text whose end has just been changed."""
    workspace = Workspace()
    for end in (before, after):
        workspace.open_text("/nowhere/x.net", start + end)
        checked = workspace.check_text("/nowhere/x.net")
        assert checked is not None
        assert (checked.view.program is None) == (end is after)
    return [suggestion.label for suggestion in find_completions(checked, len(start + after))]


def test_attributes_of_a_tensor_that_has_the_name_of_a_label() -> None:
    assert complete_after("x = input 4\nfc = x -> dense 4 as fc\nfc + ", "x", "fc.")[0] == "shape"


@pytest.mark.parametrize("shape", ["(i) [4]", "(i, j) [4, (2 + 1)]"])
def test_the_element_type_of_a_table(shape: str) -> None:
    _, checked, offset = checked_at(f"t = table {shape} |\ninput 4 -> add t")
    assert [suggestion.label for suggestion in find_completions(checked, offset)][:2] == ["float32", "float16"]


def test_what_can_be_renamed() -> None:
    for name in ("width", "residual", "units", "main", "act"):
        _, checked, offset = checked_at(RESIDUAL.replace(name, f"|{name}", 1))
        assert find_renamable(checked, offset).text == name
    for name, why in (("dense", "is not defined in a spec"), ("input", "there is no name here")):
        _, checked, offset = checked_at(RESIDUAL.replace(name, f"|{name}", 1))
        with pytest.raises(RenameRefused, match=why):
            find_renamable(checked, offset)
