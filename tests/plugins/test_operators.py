"""Operators of a plugin, judged by PyTorch and ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.conftest import Run

LEARNED = '''
class SnakeBeta(Operator):
    """Snake with a frequency for each channel."""

    name = "snake_beta"
    x = Input(FLOATS, SPATIAL)

    def infer_types(self, given):
        return (given.x,)

    def parameters(self, given):
        return (ParameterSpec("alpha", (given.x.shape[1],), init=Init("ones")),)


@pytorch(SnakeBeta, sizes=lambda given: {"channels": given.x.shape[1]})
class Beta(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.alpha = torch.nn.Parameter(torch.ones(channels))

    def forward(self, x):
        a = self.alpha.reshape(-1, *[1] * (x.dim() - 2))
        return x + torch.sin(a * x) ** 2 / a
'''
IN_ONNX = """
@onnx(SnakeBeta)
def beta_in_onnx(op, site):
    a = site.learned("alpha").op("Unsqueeze", tuple(range(1, len(site.given.x.shape) - 1)))
    wave = (site.x * a).op("Sin")
    return site.x + wave * wave / a
"""
COMPARED = """
import numpy, pickle, torch
import netc, snakes

x = torch.tensor([[0.5, -2.0, 1000.0, 0.0]]).unsqueeze(2)
model = netc.compile("input 4xT -> snake -> snake a=2")
once = x + torch.sin(x) ** 2
expected = once + torch.sin(2 * once) ** 2 / 2
torch.testing.assert_close(model.module()(x), expected)
torch.testing.assert_close(torch.from_numpy(model.session()(x.numpy())), expected, rtol=1e-4, atol=1e-5)

learned = netc.compile("input 4xT -> conv 3 1 -> snake_beta as act")
assert list(learned.parameters) == ["conv1.weight", "conv1.bias", "act.alpha"], learned.parameters
module = learned.module()
module.act.alpha.data[:] = torch.tensor([1.0, 2.0, 3.0])
y = module.conv1(x)
a = torch.tensor([1.0, 2.0, 3.0])[:, None]
torch.testing.assert_close(module(x), y + torch.sin(a * y) ** 2 / a)
torch.testing.assert_close(pickle.loads(pickle.dumps(module))(x), module(x))
source = learned.source("torch")
assert "import snakes" in source and "snakes.Beta(channels=3)" in source, source
try:
    learned.session()
except netc.CompileError as error:
    print(error.diagnostics[0].code)
"""


@pytest.mark.long
def test_plugin_is_the_function_it_says(folder: Path, python: Run) -> None:
    path = folder / "snakes.py"
    imports = "from netc.plugins import SPATIAL, Init, ParameterSpec\n"
    path.write_text(imports + path.read_text(encoding="utf-8") + LEARNED, encoding="utf-8")
    done = python("-c", COMPARED)
    assert (done.returncode, done.stdout) == (0, "missing-form\n"), done.stdout + done.stderr


@pytest.mark.long
def test_parameters_in_onnx(folder: Path, python: Run) -> None:
    path = folder / "snakes.py"
    imports = "from netc.plugins import SPATIAL, Init, ParameterSpec\n"
    path.write_text(imports + path.read_text(encoding="utf-8") + LEARNED + IN_ONNX, encoding="utf-8")
    code = """
import netc, snakes, torch
model = netc.compile("input 4xHxW -> snake_beta")
a, x = torch.tensor([0.5, 1.0, 2.0, 3.0]), torch.randn(2, 4, 3, 5)
wide = a[:, None, None]
found = model.session(weights={"snake_beta1.alpha": a.numpy()})(x.numpy())
torch.testing.assert_close(torch.from_numpy(found), x + torch.sin(wide * x) ** 2 / wide, rtol=1e-4, atol=1e-5)
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_names_of_a_spec_do_not_hide_the_plugin(python: Run) -> None:
    text = "snakes = input 4; block snake_s(torch) { dense torch -> snake }; snakes -> snake_s 2"
    done = python("-c", f"import netc, snakes, torch; print(netc.compile({text!r}).module()(torch.zeros(1, 4)).shape[1])")
    assert done.stdout == "2\n", done.stderr


@pytest.mark.long
def test_command_line(folder: Path, netc: Run) -> None:
    (folder / "v.net").write_text("input 8xT -> conv 16 7 padding=3 snake\n", encoding="utf-8")
    done = netc("compile", "--plugin", "snakes", "v.net", "-o", "v.onnx")
    assert done.returncode == 0, done.stderr
    assert (folder / "v.onnx").exists()
    assert "The snake activation" in netc("ops", "--plugin", "snakes", "snake").stdout
    refused = netc("check", "--plugin", "snakes", "-e", "input 8 -> snake a=0").stdout
    assert refused == (
        "error[refused-by-plugin]: `snake` divides by `a`\n --> <text>:1:20\n  |\n1 | input 8 -> snake a=0\n"
        "  |                    ^\n  |\n  = help: write another number\n\n1 error\n"
    )
    assert "unknown-operator" in netc("check", "-e", "input 8 -> snake").stdout
