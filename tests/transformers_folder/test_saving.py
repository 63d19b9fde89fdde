"""Writing folders for transformers: element types, the command line, and the models that have no such folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel

import netc
from netc.cli import cli
from netc.compiler.backends.torch.pretrained.config_names import CONFIG_NAMES, MODEL_NAMES
from netc.inputs.argument_checks import TRANSFORMERS_TASKS
from netc.transformers_folder.choose_task import TASKS
from transformers_folder.folders import FOLDERS, SPECS, compile_llama, draw_tokens

SIZES = ["width=32", "depth=2", "heads=4", "shared_heads=2", "hidden=48", "vocabulary=99"]
ATTENTION = 'use "std/attention.net": split_heads, merge_heads, projected_attention\n'
REFUSED = {
    "recurrent": ("tokens = input [T] int64; tokens -> embedding 9 8 -> gru 8 -> dense 9", "`gru` carries a state"),
    "multihead": (
        "tokens = input [T] int64; tokens -> embedding 9 8 -> multihead_attention 2 causal=true -> dense 9",
        "write it with `attention`",
    ),
    "no attention": ("tokens = input [T] int64; tokens -> embedding 9 8 -> dense 9", "it has no `attention`"),
    "not causal": (
        ATTENTION + "tokens = input [T] int64\n"
        "tokens -> embedding 9 8 -> projected_attention 2 causal=true -> projected_attention 2 -> dense 9",
        "is causal, and tokens of a masked language model see all others",
    ),
    "two windows": (
        ATTENTION + "tokens = input [T] int64\nx = tokens -> embedding 9 8 -> split_heads 2\n"
        "y = (x, x, x) -> attention causal=true window=2\n(y, y, y) -> attention causal=true -> merge_heads -> dense 9",
        "windows of different sizes",
    ),
    "bias of positions": (
        ATTENTION + "tokens = input [T] int64; x = tokens -> embedding 9 8 -> split_heads 2\n"
        "bias = table (i, j) [T, T] = where(j > i, -1e9, j - i)\n(x, x, x, bias) -> attention -> merge_heads -> dense 9",
        "has a mask that is not the mask of its keys",
    ),
    "tokens used twice": (
        ATTENTION + "tokens = input [T] int64; x = tokens -> embedding 9 8 -> projected_attention 2 causal=true\n"
        "x * (tokens -> cast float32 -> unsqueeze (-1)) -> dense 9",
        "its input `tokens` is used for more than their embedding",
    ),
    "window of one": (
        ATTENTION + "tokens = input [T] int64; x = tokens -> embedding 9 8 -> split_heads 2\n"
        "(x, x, x) -> attention causal=true window=1 -> merge_heads -> dense 9",
        "a window of 1 token",
    ),
    "no parameters": ("image = input 3x8x8; image -> mean axis=[2,3]", "it has no parameters"),
    "fixed length": (
        ATTENTION + "tokens = input [16] int64; tokens -> embedding 9 8 -> projected_attention 2 causal=true -> dense 9",
        "its texts have 16 tokens",
    ),
    "two outputs": ("tokens = input [T] int64; x = tokens -> embedding 9 8; out x, x -> dense 9", "has one output"),
    "a table": ("input 4 -> dense 3", "takes tokens (int64 [N, T])"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_models(name: str, tmp_path: Path) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(ValueError, match=r"^(transformers cannot take this model|a model for transformers)") as error:
        netc.compile(text).save_for("transformers", tmp_path / "folder")
    assert reason in str(error.value)
    assert list(tmp_path.iterdir()) == []


MIXING = {
    "mean": "x - (x -> mean axis=1 keepdim=true)",
    "max": "x - (x -> max axis=0 keepdim=true)",
    "cumsum": "x -> cumsum axis=1",
    "roll": "x -> roll 1 axis=1",
    "softmax": "x -> softmax axis=1",
    "slice": "x -> slice axis=1 start=0 stop=1",
    "conv": 'x -> rearrange "n t c -> n c t" -> conv 8 3 padding=1 -> rearrange "n c t -> n t c"',
    "attention": '(q, q, q) -> attention{causal} -> rearrange "n t h d -> n t (h d)"',
}
LENGTHS = {
    "div": "x / T",
    "clamp": "x -> clamp max=T",
    "slice": "x + (param [1, 30, 8] init=ones -> slice axis=1 stop=T)",
    "table": "x + (table (a, i, j) [1, T + 1, 8] = i + j -> slice axis=1 stop=T)",
}


@pytest.mark.parametrize("causal", [" causal=true", ""], ids=["causal", "masked"])
@pytest.mark.parametrize(("kind", "stage"), [*(("combines", n) for n in MIXING), *(("depends on", n) for n in LENGTHS)])
def test_stages_that_need_the_whole_text(kind: str, stage: str, causal: str, tmp_path: Path) -> None:
    """With padding or a cache, such a stage would compute other numbers than the network."""
    code = (MIXING if kind == "combines" else LENGTHS)[stage].format(causal=causal)
    text = (
        ATTENTION + f"tokens = input [T] int64 where T <= 30; x = tokens -> embedding 9 8\n"
        f'q = x -> rearrange "n t (h d) -> n t h d" h=2; y = {code}\n'
        f"y -> projected_attention 2{causal} -> dense 9"
    )
    with pytest.raises(ValueError, match=rf"`{stage}` \(<text>:3:\d+\) {kind}"):
        netc.compile(text).save_for("transformers", tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_stages_of_one_position(tmp_path: Path) -> None:
    """Stages that move positions, but combine none, give what the network gives, also for padding on the left."""
    folder = tmp_path / tmp_path.name  # in one process, transformers takes folders of one name for one model
    model = netc.compile(
        ATTENTION + "tokens = input [T] int64; x = tokens -> embedding 50 8\n"
        'y = x -> reshape [N * T, 8] -> dense 8 -> reshape [N, T, 8] -> rearrange "n t c -> n c t" -> conv 8 1 -> batch_norm\n'
        'y -> rearrange "n c t -> n t c" -> projected_attention 2 causal=true -> softmax -> dense 50'
    )
    model.save_for("transformers", folder, seed=1)
    loaded = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
    tokens, mask = draw_tokens(1, 8) % 50, torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]])
    with torch.no_grad():
        expected = model.module(seed=1).eval()(tokens[:, 3:])
        assert (loaded(tokens, attention_mask=mask).logits[:, 3:] - expected).abs().max() < 2e-6


def test_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    options = [option for size in SIZES for option in ("--set", size)]
    arguments = ["compile", str(SPECS / "text/llama.net"), "--model", "network", *options, "--seed", "3", "--for", "transformers"]
    result = CliRunner().invoke(cli, [*arguments, "-o", str(folder)])
    assert result.exit_code == 0, result.output
    assert "`eos_token_id`" in result.output
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
    tokens = draw_tokens(2, 6)
    with torch.no_grad():
        assert torch.equal(model(tokens).logits, compile_llama().module(seed=3)(tokens))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    again = CliRunner().invoke(cli, [*arguments, "-o", str(folder)])
    assert again.exit_code != 0
    assert "exists already" in again.output
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--for", "transformers", "-o", "x", "--target", "torch"], "goes without --target"),
        (["--for", "transformers", "-o", "x", "--opset", "18"], "options of ONNX graphs"),
        (["--for", "transformers", "-o", "x", "--stream", "T"], "goes without --stream"),
        (["--for", "transformers"], "give -o FOLDER"),
        (["--for", "transformers", "-o", "x", "--dtype", "float16", "--keep-io"], "goes without --keep-io"),
        (["--for", "transformers", "-o", "x", "--task", "masked-lm"], "tokens of a masked language model see all others"),
        (["--task", "causal-lm", "-o", "x.onnx"], "--task is for --for transformers"),
        (["--for", "transformers", "-o", "x", "--task", "image-classification"], "takes and gives what causal-lm does"),
    ],
)
def test_refused_options(options: list[str], message: str, tmp_path: Path) -> None:
    text = ATTENTION + "tokens = input [T] int64; tokens -> embedding 9 8 -> projected_attention 2 causal=true -> dense 9"
    with CliRunner().isolated_filesystem(tmp_path):
        result = CliRunner().invoke(cli, ["compile", "-e", text, *options])
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_element_types(name: str, tmp_path: Path) -> None:
    """The file has the weights in the type that was asked for, and `from_pretrained` loads that type or another one."""
    compile_llama().save_for("transformers", tmp_path / "folder", seed=1, dtype=name)
    with safe_open(tmp_path / "folder/model.safetensors", "pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {getattr(torch, name)}  # noqa: SIM118
    stored = AutoModelForCausalLM.from_pretrained(tmp_path / "folder", trust_remote_code=True)
    full = AutoModelForCausalLM.from_pretrained(tmp_path / "folder", trust_remote_code=True, dtype=torch.float32, device_map="auto")
    tokens = draw_tokens(1, 6)
    with torch.no_grad():
        assert stored(tokens).logits.dtype == getattr(torch, name)
        assert (stored(tokens).logits.float() - full(tokens).logits).abs().max() < (0.01 if name == "bfloat16" else 0.002)


@pytest.mark.long
def test_generates_what_netc_generates(tmp_path: Path) -> None:
    """The tokens of greedy decoding are those that netc's stream gives, which runs in ONNX Runtime."""
    model = compile_llama()
    model.save_for("transformers", tmp_path / "folder", seed=1)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "folder", trust_remote_code=True)
    prompt = draw_tokens(1, 5)
    generated = loaded.generate(prompt, max_new_tokens=8, do_sample=False, pad_token_id=0)[0, 5:].tolist()
    run = model.stream("T").session(seed=1)
    results, state = run(run.begin(), tokens=prompt.numpy())
    tokens = []
    for _ in range(8):
        tokens.append(int(results["logits"][0, -1].argmax()))
        results, state = run(state, tokens=torch.tensor([tokens[-1:]]).numpy())
    assert generated == tokens


def test_names_of_configurations() -> None:
    """A parameter of a spec cannot have the name of an attribute that every configuration has."""
    assert {name for name in dir(PreTrainedConfig()) if not name.startswith("_")} <= CONFIG_NAMES
    assert tuple(TASKS) == TRANSFORMERS_TASKS


def test_names_of_models() -> None:
    """A part of a model cannot have the name of an attribute that every model of transformers has."""
    parents = (PreTrainedModel, GenerationMixin)
    assert {name for parent in parents for name in dir(parent) if not name.startswith("_")} <= MODEL_NAMES | set(dir(torch.nn.Module))


LABELED = """
block attend() {
  q = in -> dense in.features as q -> split_heads 2 -> rotary
  k = in -> dense in.features as k -> split_heads 2 -> rotary
  (q, k, k) -> attention causal=true -> merge_heads
}
block encode(width) { in -> embedding 50 width as table -> repeat 2 as LAYERS { in + (in -> attend) } }
model network(width=8) { tokens = input [T] int64; tokens -> encode width as BASE -> dense 50 as HEAD }
"""


@pytest.mark.parametrize("place", ["BASE", "HEAD", "LAYERS"])
@pytest.mark.parametrize("label", ["config", "generate", "device", "train", "base_model_prefix", "class", "0", "lm-head", "config.x"])
def test_labels_that_models_cannot_have(place: str, label: str, tmp_path: Path) -> None:
    """Labels are keys of the weights, so they stay or are refused."""
    text = ATTENTION + LABELED.replace(place, label)
    with pytest.raises(ValueError, match=rf"`{label.split('.')[0]}`.* choose another") as error:
        netc.compile(text).save_for("transformers", tmp_path / "folder")
    assert str(error.value).startswith("transformers cannot take this model")
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if f"as {label}" in line)
    assert f", at <text>:{line}:" in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HEAD", "self"),
        ("HEAD", "outputs"),
        ("BASE", "model.x"),
        ("LAYERS", "layers.0"),
        ("repeat 2", "repeat 1"),
        ("in -> embedding 50 width as table", "cache = in -> embedding 50 width as labels\n cache + (cache -> relu)"),
        ("in + (in -> attend", "in + (in -> rms_norm as cache -> attend"),
    ],
)
def test_names_that_a_forward_uses_itself(old: str, new: str, tmp_path: Path) -> None:
    folder = tmp_path / tmp_path.name  # in one process, transformers takes folders of one name for one model
    model = netc.compile(ATTENTION + LABELED.replace(old, new))
    model.save_for("transformers", folder, seed=1)
    loaded = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
    tokens = draw_tokens(2, 6) % 47 + 3  # generate masks tokens of padding
    with torch.no_grad():
        assert (loaded(tokens).logits - model.module(seed=1)(tokens)).abs().max() < 2e-6
        generated = loaded.generate(tokens, max_new_tokens=3, do_sample=False, pad_token_id=0, eos_token_id=None)
        for position in range(6, 9):
            assert torch.equal(model.module(seed=1)(generated[:, :position])[:, -1].argmax(-1), generated[:, position])


def test_parameter_with_the_name_of_an_attribute(tmp_path: Path) -> None:
    text = (
        ATTENTION + "model network(dtype=16, num_labels=3) { tokens = input [T] int64; "
        "tokens -> embedding 50 dtype -> projected_attention 2 causal=true -> dense (num_labels * dtype) -> dense 50 }"
    )
    netc.compile(text).save_for("transformers", tmp_path / "folder", seed=1)
    config = AutoConfig.from_pretrained(tmp_path / "folder", trust_remote_code=True)
    assert (config.dtype_, config.num_labels_, config.dtype) == (16, 3, torch.float32)
    AutoModelForCausalLM.from_pretrained(tmp_path / "folder", trust_remote_code=True)


def test_tensor_parallel_plan(tmp_path: Path) -> None:
    """Layers are split as transformers splits its own Llama."""
    from transformers import LlamaConfig

    compile_llama().save_for("transformers", tmp_path / "folder", seed=1)
    config = AutoConfig.from_pretrained(tmp_path / "folder", trust_remote_code=True)
    assert config.base_model_tp_plan == LlamaConfig.base_model_tp_plan


@pytest.mark.long
@pytest.mark.parametrize("name", ["llama", "bert", "vit"])
def test_layout(name: str, tmp_path: Path) -> None:
    """A formatter and a linter find nothing in the Python files."""
    FOLDERS[name].compile().save_for("transformers", tmp_path / "folder", seed=1)
    for arguments in (["format", "--check"], ["check", "--select", "E,F,I,UP"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length", "119", str(tmp_path / "folder")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
