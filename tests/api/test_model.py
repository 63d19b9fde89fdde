"""The methods of a `Model`: module, source, ONNX, session, files, summary."""

from __future__ import annotations

import traceback
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import save_file

import netc
from netc.compiler.errors.weight_errors import WeightsError

MODEL = netc.compile("input 3 -> dense 4 relu -> batch_norm -> dense 2")
X = np.random.default_rng(0).standard_normal((5, 3), np.float32)


def run(module: torch.nn.Module) -> np.ndarray:
    with torch.no_grad():
        return module.eval()(torch.from_numpy(X)).numpy()


def test_one_seed_one_function() -> None:
    assert np.allclose(run(MODEL.module(seed=3)), MODEL.session(seed=3)(X), atol=1e-6)
    assert not np.allclose(run(MODEL.module(seed=3)), run(MODEL.module(seed=4)))


def test_a_seed_leaves_the_generator_of_pytorch_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    MODEL.module(seed=1)
    assert torch.rand(1) == expected


def test_without_a_seed_the_module_draws_as_pytorch_does() -> None:
    linear = netc.compile("input 3 -> dense 4")
    torch.manual_seed(0)
    ours = linear.module().state_dict()
    torch.manual_seed(0)
    theirs = torch.nn.Linear(3, 4).state_dict()
    assert all(torch.equal(ours[f"dense1.{name}"], value) for name, value in theirs.items())


def test_without_a_seed_onnx_has_seed_zero() -> None:
    assert MODEL.onnx().SerializeToString() == MODEL.onnx(seed=0).SerializeToString()


def test_weights_from_everywhere(tmp_path: Path) -> None:
    module = MODEL.module(seed=5)
    tensors = module.state_dict()
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    save_file(arrays, tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **arrays)
    torch.save(tensors, tmp_path / "w.pt")
    for weights in (tensors, arrays, tmp_path / "w.safetensors", tmp_path / "w.npz", str(tmp_path / "w.pt")):
        assert np.array_equal(run(MODEL.module(weights)), run(module))
        assert np.allclose(MODEL.session(weights)(X), run(module), atol=1e-6)


def test_a_module_holds_copies_of_its_weights() -> None:
    weights = {name: tensor.numpy() for name, tensor in MODEL.module(seed=5).state_dict().items()}
    module = MODEL.module(weights)
    before = run(module)
    for array in weights.values():
        array += 1
    assert np.array_equal(run(module), before)


def test_weights_that_do_not_fit() -> None:
    weights = dict(MODEL.module().state_dict())
    weights["dense1.wight"] = weights.pop("dense1.weight")
    for use in (MODEL.module, MODEL.onnx):
        with pytest.raises(WeightsError, match=r"dense1\.weight") as caught:
            use(weights)
        assert "dense1.wight" in str(caught.value)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (2**63, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)])
def test_wrong_seeds(seed: object, error: type[Exception]) -> None:
    for use in (MODEL.module, MODEL.onnx):
        with pytest.raises(error, match="seed"):
            use(seed=seed)  # type: ignore[arg-type]


def test_the_module_is_the_source() -> None:
    namespace: dict[str, type[torch.nn.Module]] = {}
    exec(MODEL.source(), namespace)
    written = namespace[type(MODEL.module()).__name__]()
    written.load_state_dict(MODEL.module(seed=2).state_dict())
    assert np.array_equal(run(written), run(MODEL.module(seed=2)))


def test_tracebacks_show_lines_of_the_source() -> None:
    with pytest.raises(ValueError, match=r"found the shape \[5, 7\]") as caught:
        MODEL.module()(torch.zeros(5, 7))
    assert caught.value.__cause__ is not None
    last = [frame.line for frame in traceback.extract_tb(caught.value.__cause__.__traceback__) if "<netc" in frame.filename]
    assert last
    assert last[-1] in MODEL.source()


def test_onnx_is_valid_and_has_the_names_of_the_spec() -> None:
    proto = netc.compile("x = input 3\ny = x -> dense 2\nout y").onnx()
    onnx.checker.check_model(proto, full_check=True)
    assert [i.name for i in proto.graph.input] == ["x"]
    assert [o.name for o in proto.graph.output] == ["y"]
    assert {t.name for t in proto.graph.initializer} == {"dense1.weight", "dense1.bias"}


def test_session_by_name_and_position() -> None:
    session = netc.compile("a = input 3\nb = input 3\nc = a - b\nd = a + b\nout c, d").session()
    one, two = np.ones((1, 3), np.float32), np.full((1, 3), 2, np.float32)
    assert np.array_equal(session(one, two)["c"], one - two)
    assert np.array_equal(session(one, b=two)["d"], one + two)
    with pytest.raises(ValueError, match="`b`"):
        session(one)
    with pytest.raises(ValueError, match="`c`"):
        session(one, two, c=two)


def test_devices() -> None:
    with pytest.raises(ValueError, match="tpu"):
        MODEL.session(device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="CUDA"):
            MODEL.session(device="cuda")


def test_save(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "m.onnx", seed=1)
    assert onnx.load(tmp_path / "m.onnx") == MODEL.onnx(seed=1)
    MODEL.save(str(tmp_path / "m.py"))
    assert (tmp_path / "m.py").read_text() == MODEL.source()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.py"]


def test_save_refuses(tmp_path: Path) -> None:
    for path, error in (("m.txt", ValueError), ("m", ValueError), (3, TypeError), (tmp_path / "no" / "m.py", FileNotFoundError)):
        with pytest.raises(error):
            MODEL.save(path)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weights"):
        MODEL.save(tmp_path / "m.py", seed=1)


def test_summary_of_many_results() -> None:
    tables = [str(netc.compile(f"input {n} -> chunk {n} axis=1 -> concat axis=1").summary()) for n in (4, 5)]
    assert "  [N, 1], [N, 1], [N, 1], [N, 1]  " in tables[0]
    assert "  [N, 1], [N, 1], [N, 1], ... 5 in all  " in tables[1]


def test_summary() -> None:
    summary = netc.compile("input 8 -> repeat 100 { dense 8 relu } -> dense 2").summary()
    assert summary.totals.parameters == 100 * 72 + 18
    assert summary.totals.flops == 100 * (2 * 64 + 8 + 8) + 2 * 16 + 2
    text = str(summary)
    assert "x 100" in text
    assert len(text.splitlines()) < 15
    assert "T" in str(netc.compile("input [T, 4] -> dense 2").summary().totals.flops)


def test_summary_names_rounded_quotients() -> None:
    model = netc.compile("input 3xHx8 -> conv 4 3x3 stride=2 padding=1 -> relu")
    text = str(model.summary())
    assert "[N, 4, H2, 4]" in text
    assert "where" in text.splitlines()[-1]
    assert "H2 = (H + 1)//2" in text
    assert str(model.summary().rows[0].results[0]) == "[N, 4, (H + 1)//2, 4]"


def test_summary_takes_no_name_twice() -> None:
    model = netc.compile("x = input 3xHx8; y = input [H2]; a = x -> conv 4 3x3 stride=2 padding=1; out a, y")
    assert "H2_ = (H + 1)//2" in str(model.summary()).splitlines()[-1]


def test_summary_of_what_is_shared() -> None:
    text = "a = input 3\nb = input 3\nshared twin = (dense 4 relu -> dense 2)\n(a -> twin) - (b -> twin)"
    summary = netc.compile(text).summary()
    assert summary.totals.parameters == 16 + 10
    assert str(summary).count("(shared)") == 1


def test_ports_and_parameters_show_what_they_are() -> None:
    model = netc.compile("x = input [T] int64; x -> embedding 10 4 -> dense 2 trainable=false")
    assert repr(model.inputs) == "{'x': TensorType(int64 [N, T])}"
    assert repr(model.outputs) == "{'output': TensorType([N, T, 2])}"
    assert (
        repr(list(model.parameters.values())[:2])
        == "[ParameterInfo(embedding1.weight: [10, 4]), ParameterInfo(dense1.weight: [2, 4] frozen)]"
    )
