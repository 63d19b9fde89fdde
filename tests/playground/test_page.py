"""The playground in a browser: typed, seen, run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from netc.cli.play import find_built_folder, make_server

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "playground" / "node_modules"
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), "")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
    pytest.mark.skipif(not (NODE_MODULES / "playwright-core").is_dir(), reason="the playground is not built: make playground"),
    pytest.mark.skipif(not Path(find_built_folder(), "worker.mjs").is_file(), reason="the playground is not built: make playground"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    serving = make_server(find_built_folder(), 0)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}/"
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.fixture(scope="module")
def seen(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a person sees, by its name."""
    shots = Path(os.environ.get("NETC_SCREENSHOTS") or tmp_path_factory.mktemp("shots"))
    folder = tmp_path_factory.mktemp("script")
    (folder / "node_modules").symlink_to(NODE_MODULES, target_is_directory=True)
    script = shutil.copy(Path(__file__).with_name("page.mjs"), folder)
    environment = os.environ | {"CHROMIUM": CHROMIUM}
    done = subprocess.run(["node", script, address, str(shots)], env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {one["what"]: one["value"] for one in map(json.loads, done.stdout.splitlines())}


def test_the_mistake_is_explained_and_mended(seen: dict[str, object]) -> None:
    mistake, hints = str(seen["mistake"]), seen["hints"]
    assert "error[shape-mismatch]: cannot multiply [N, 5] and [1, 5]" in mistake
    assert "transpose the second one: `(weights -> transpose 0 1)`" in mistake
    assert isinstance(hints, list)
    assert [hint.strip() for hint in hints] == ["# [N, 5]", "# [1, 5]", "# [1]", "# [N, 1]"]


def test_an_empty_side_says_why(seen: dict[str, object]) -> None:
    assert (seen["nothing"], seen["something"]) == (["There is no network to show yet: the text has an error."], [])


def test_shapes_picture_and_source_are_shown(seen: dict[str, object]) -> None:
    assert "sigmoid1" in str(seen["summary"])
    assert "parameters: 6" in str(seen["summary"])
    assert "sigmoid" in str(seen["picture"])
    assert "torch.sigmoid(" in str(seen["source"])


def test_the_numbers_of_the_tutorial(seen: dict[str, object]) -> None:
    assert str(seen["neuron"]).split() == ["output:", "float32", "[1,", "1]", "0.6140"]
    assert str(seen["network"]).split() == ["output:", "float32", "[1,", "1]", "0.6247"]


def test_blocks_open_by_a_click(seen: dict[str, object]) -> None:
    opened = seen["opened"]
    assert isinstance(opened, list)
    assert opened[0] != opened[1]


def test_markup_in_a_text_does_nothing(seen: dict[str, object]) -> None:
    assert seen["title"] == "netc playground"


def test_it_needs_no_network_once_it_is_loaded(seen: dict[str, object]) -> None:
    assert "float32 [1, 1]" in str(seen["at once"])


def test_it_works_without_a_network_and_from_a_link(seen: dict[str, object]) -> None:
    assert "dense 2 as l" in str(seen["again"])
    assert str(seen["offline"]).startswith("output: float32 [1, 2]")


def test_nothing_is_asked_of_others_and_nothing_fails(seen: dict[str, object]) -> None:
    assert seen["elsewhere"] == []
    assert seen["problems"] == []


def test_a_phone_needs_no_scrolling_to_the_side(seen: dict[str, object]) -> None:
    phone = seen["phone"]
    assert isinstance(phone, list)
    assert phone[0] <= phone[1]
