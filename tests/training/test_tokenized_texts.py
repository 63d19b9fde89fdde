"""Texts as tokens of a tokenizer. The judge is the package `tokenizers`, which encodes the complete text."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from netc.cli import cli
from tests.training.opened import arrays, opened, said, spec

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

TEXT = "Grüße, Anna!\r\nA cat sat on the mat.\n\n\n  The cat is a good cat 🙂.\n" * 6
END = "<|endoftext|>"
DATA = 'data text "{path}" tokenizer="tokenizer.json" x=tokens target=next {more}'


def make_spec(path: str = "story.txt", more: str = "", *, settings: str = "", size: int = 300) -> str:
    model = f"embedding {size} 4 -> dense {size}"
    loss = "(y -> transpose 1 2, target) -> cross_entropy"
    return spec(DATA.format(path=path, more=more) + settings, x="8 int64", target="8 int64", model=model, loss=loss)


def train_by_hand(texts: list[str], size: int = 300) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a text and a tokenizer."""
    (tmp_path / "story.txt").write_text(TEXT, encoding="utf-8", newline="")
    train_by_hand([TEXT]).save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def _cut(tokens: list[int], length: int, stride: int, first: int) -> list[list[int]]:
    return [tokens[i + first : i + first + length] for i in range(0, len(tokens) - length, stride)]


@pytest.mark.parametrize(("more", "stride"), [("", 8), ("stride=3", 3)])
def test_windows_of_tokens(folder: Path, more: str, stride: int) -> None:
    expected = [*train_by_hand([TEXT]).encode(TEXT).ids, 0]  # the end of a text is the token 0
    assert max(expected) > 256  # merged tokens, not bytes
    found = arrays(make_spec(more=more), path=folder / "m.net")
    assert found["x"].tolist() == _cut(expected, 8, stride, 0)
    assert found["target"].tolist() == _cut(expected, 8, stride, 1)


def test_settings_of_the_file_are_turned_off(folder: Path) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    expected = arrays(make_spec(), path=folder / "m.net")
    tokenizer.enable_truncation(20)
    tokenizer.enable_padding(length=4000)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, 0)])
    tokenizer.save(str(folder / "tokenizer.json"))
    assert arrays(make_spec(), path=folder / "m.net")["x"].tolist() == expected["x"].tolist()


@pytest.mark.parametrize("path", ["texts", "texts/*.txt", "text?/**/*.txt"])
def test_several_files_are_one_sequence(folder: Path, path: str) -> None:
    (folder / "texts").mkdir()
    contents = {"b.txt": "the mat " * 9, "a.txt": "a good cat " * 9 + END, "c.txt": ""}
    for name, content in contents.items():
        (folder / "texts" / name).write_text(content)
    (folder / "texts" / "notes.md").write_text("not a text")
    tokenizer = train_by_hand([TEXT])
    expected = [*tokenizer.encode(contents["a.txt"]).ids, *tokenizer.encode(contents["b.txt"]).ids, 0, 0]
    found = arrays(make_spec(path, more="length=8"), path=folder / "m.net")
    assert found["x"].tolist() == _cut(expected, 8, 8, 0)


def test_several_files_of_bytes(folder: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (folder / name).write_text(name * 10)
    text = make_spec("?.txt").replace('tokenizer="tokenizer.json"', "")
    assert bytes(arrays(text, path=folder / "m.net")["x"].ravel().tolist()) == (b"a.txt" * 10 + b"b.txt" * 10)[:96]


def test_a_link_of_a_pattern_must_not_lead_out(folder: Path) -> None:
    (folder / "inside").mkdir()
    (folder / "inside" / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    os.symlink(folder / "story.txt", folder / "inside" / "link.txt")
    ((_, message),) = said(make_spec("*.txt"), path=folder / "inside" / "m.net")
    assert message.endswith("it is outside of the folder of the spec")
    os.remove(folder / "inside" / "link.txt")
    os.remove(folder / "inside" / "tokenizer.json")
    (folder / "inside" / "story.txt").write_text(TEXT)
    ((_, message),) = said(make_spec().replace('"tokenizer.json"', '"../tokenizer.json"'), path=folder / "inside" / "m.net")
    assert message == "cannot read `../tokenizer.json`: it is outside of the folder of the spec"


def test_all_data_of_a_run_has_one_tokenizer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "The cat is on the mat. " * 9
    (folder / "other.txt").write_text(other)
    expected = _cut([*train_by_hand([TEXT]).encode(other).ids, 0], 8, 8, 0)
    monkeypatch.chdir(folder)
    spec_path = folder / "m.net"
    validated = opened(make_spec(settings='\n  validate text "other.txt"'), path=spec_path).validation
    asked_data = opened(make_spec(), "other.txt", spec_path).data
    asked_validation = opened(make_spec(), None, spec_path, validation="other.txt").validation
    for subset in (validated, asked_data, asked_validation):
        assert subset is not None
        assert subset[0].read_batch(subset[1])["x"].tolist() == expected
    by_bytes = make_spec().replace('tokenizer="tokenizer.json"', "")
    asked = opened(by_bytes, "other.txt", spec_path, options={"tokenizer": "tokenizer.json"}).data
    assert asked is not None
    assert asked[0].read_batch(asked[1])["x"].tolist() == expected


def test_tokens_that_were_made_before(folder: Path) -> None:
    np.save(folder / "story.npy", np.array(train_by_hand([TEXT]).encode(TEXT).ids, np.uint16))
    found = arrays(make_spec("story.npy"), path=folder / "m.net")
    assert found["x"].tolist() == arrays(make_spec(), path=folder / "m.net")["x"].tolist()[: len(found["x"])]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("story.txt", b"fine\n\xff bad", "line 2 of `story.txt` is not UTF-8"),
        ("story.txt", b"", "it has 1 tokens, and a sample of the length 8 needs 9"),
        ("tokenizer.json", b"{}", "it is no tokenizer: Model missing"),
        ("tokenizer.json", b"", "it is no tokenizer: EOF"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {}, "merges": []}}', "its vocabulary is empty"),
        ("tokenizer.json", None, "there is no such file"),
    ],
)
def test_files_that_cannot_be_read(folder: Path, name: str, content: bytes | None, why: str) -> None:
    if content is None:
        os.remove(folder / name)
    else:
        (folder / name).write_bytes(content)
    ((code, message),) = said(make_spec(), path=folder / "m.net")
    assert code == "cannot-read-data"
    assert why in message


def test_a_pattern_without_files(folder: Path) -> None:
    assert said(make_spec("*.text"), path=folder / "m.net")[0][1] == "cannot read `*.text`: no file has a name of this pattern"


def test_a_vocabulary_must_fit_the_embedding(folder: Path) -> None:
    # No text here has the last tokens, but other texts may.
    (folder / "story.txt").write_text("abc" * 20)
    size = train_by_hand([TEXT]).get_vocab_size()
    assert opened(make_spec(size=size), path=folder / "m.net").data is not None
    messages = {message for _, message in said(make_spec(size=size - 1), path=folder / "m.net")}
    assert messages == {f"the tokenizer has {size} tokens, and `{name}` has {size - 1} classes" for name in ("embedding", "cross_entropy")}


def test_train_a_tokenizer(folder: Path) -> None:
    (folder / "more.txt").write_text("one two" + END + "one three" * 3)
    output = folder / "own.json"
    result = CliRunner().invoke(cli, ["tokenizer", str(folder / "*.txt"), "--size", "300", "-o", str(output)])
    assert result.exit_code == 0, result.stderr
    expected = train_by_hand(["one two", "one three" * 3, TEXT])
    found = tokenizers.Tokenizer.from_file(str(output))
    assert found.get_vocab() == expected.get_vocab()
    for text in (TEXT, "Ωmega" + END + "\x00 \r\n", ""):
        assert found.encode(text).ids == expected.encode(text).ids
        assert found.decode(found.encode(text).ids, skip_special_tokens=False) == text
    assert found.token_to_id(END) == 0


def test_a_size_that_no_text_reaches(folder: Path) -> None:
    """The package reserves memory for the size, and ends the process if there is none."""
    sizes = [str(257 + (folder / "story.txt").stat().st_size), str(10**11)]
    paths = [folder / "exact.json", folder / "huge.json"]
    for size, path in zip(sizes, paths, strict=True):
        result = CliRunner().invoke(cli, ["tokenizer", str(folder / "story.txt"), "--size", size, "-o", str(path)])
        assert result.exit_code == 0, result.stderr
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.txt"], "cannot read `none.txt`: there is no such file or folder"),
        (["*.text"], "cannot read `*.text`: no file has a name of this pattern"),
        (["bad.txt"], "line 2 of `bad.txt` is not UTF-8"),
        (["story.txt", "--size", "256"], "256 is not in the range x>=257"),
        (["story.txt", "-o", "story.txt"], "a tokenizer is written as .json"),
        (["tokenizer.json", "-o", "tokenizer.json"], "-o would overwrite `tokenizer.json`"),
        ([], "Missing argument 'FILES...'"),
    ],
)
def test_refused_training_of_a_tokenizer(folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str) -> None:
    monkeypatch.chdir(folder)
    (folder / "bad.txt").write_bytes(b"fine\n\xff")
    before = (folder / "tokenizer.json").read_bytes()
    result = CliRunner().invoke(cli, ["tokenizer", *words])
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert (folder / "tokenizer.json").read_bytes() == before


def test_a_run_is_resumed_from_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pattern and the tokenizer of the command line are found again."""
    (folder / "m.net").write_text(make_spec().replace('data text "story.txt" tokenizer="tokenizer.json" x=tokens target=next', "steps 2"))
    columns = ["--column", "x=tokens", "--column", "target=next"]
    monkeypatch.chdir(folder)
    words = ["train", "m.net", "--data", "text:st*.txt", "--data-option", "tokenizer=tokenizer.json", *columns, "-o", "run"]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert (folder / "run" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    resumed = CliRunner().invoke(cli, ["train", "--resume", str(folder / "run")])
    assert resumed.exit_code == 0, resumed.stderr
    train_by_hand(["other texts"]).save(str(folder / "tokenizer.json"))
    other = CliRunner().invoke(cli, ["train", "--resume", str(folder / "run")])
    assert other.exit_code == 1
    assert "error[run-differs]" in other.stderr
