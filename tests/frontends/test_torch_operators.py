"""Operators of PyTorch, one by one: what is imported computes what PyTorch computes, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.imported import agree, imported
from frontends.written import Of, batches
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.torch.aten_table import READERS
from netc.importing.module_origin import make_module_origin
from netc.importing.run_import import import_spec


class Function(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


class Together(nn.Module):
    """Several functions or modules of one input: one import tests all of them."""

    def __init__(self, parts: Iterable[Any]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part if isinstance(part, nn.Module) else Function(part) for part in parts)

    def forward(self, x: Tensor) -> Any:
        return [part(x) for part in self.parts]


def _masked(x: Tensor) -> Tensor:
    y = x * 2
    y[y < 1] = 0.5
    return y


VECTORS = {
    "softmax of another type": lambda x: x.double().softmax(-1).float(),
    "clamp by tensors": lambda x: x.clamp(torch.zeros(6), torch.ones(6) * 2),
    "clamp by numbers": lambda x: x.clamp(min=-1).clamp(max=2).clamp_min(-0.5),
    "a number before": lambda x: (2 - x, 1 / (x * x + 1), 2 ** x.clamp(-3, 3)),
    "alpha": lambda x: torch.add(x, x, alpha=3) - torch.sub(x, 2, alpha=0.5) + torch.rsub(x, 1, alpha=2),
    "division rounded": lambda x: (torch.div(x, 2, rounding_mode="floor"), torch.div(x, 2, rounding_mode="trunc")),
    "powers": lambda x: (x**2, x**3, (x * x) ** 0.5),
    "where with numbers": lambda x: (torch.where(x > 0, 1.0, -1.0), torch.where(x > 0, x, 0), torch.where(x > 0, 0.5, x)),
    "powers of integers": lambda x: (x.long() ** 2.0, x.long() ** 2, (x.long() + 9) ** -1.0, x.int() ** 0.5 > 1),
    "random slopes": F.rrelu,
    "pieces and no padding": lambda x: (*x.split(4, 1), *x.split(6, 1), F.pad(x, (0, 0), value=2.0) + 1, *x[:1].split(1)),
    "sums at positions, scaled": lambda x: x.index_add(1, torch.tensor([0, 0, 2, 5, 5, 1]), x, alpha=-0.5),
    "reduced at positions": lambda x: (
        x.scatter(1, x.argsort(1)[:, :4] // 2, x, reduce="multiply"),
        x.scatter(1, x.argsort(1)[:, :4] // 2, x, reduce="add"),
    ),
    "masked_fill": lambda x: x.masked_fill(x > 2, float("-inf")),
    "cumulative": lambda x: (x.cumsum(1), x.sigmoid().cumprod(1)),
    "products": lambda x: (x.prod(1), x.prod(-1, keepdim=True), x.prod()),
    "rounded": lambda x: x.round(),
    "scattered": lambda x: (x.scatter(1, (x > 2).long(), x * 2), x.scatter(1, (x > 2).long(), 0.5)),
    "vectors": lambda x: (x @ x[0], torch.outer(x[0], x[0, :4]), torch.cosine_similarity(x, x + 1), torch.cdist(x, x * 2, p=1.0)),
    "slopes that are computed": lambda x: (
        F.prelu(x, x[0]),
        F.prelu(x[0], x[0, :1]),
        F.prelu(x[:, :, None] - 1, x[0]),
        F.prelu(x, x[0, :1]),
    ),
    "grids with scalars": lambda x: torch.meshgrid(x.sum(), x[0], x.prod(), indexing="ij"),
    "grids": lambda x: (*torch.meshgrid(x[0], x[0, :4], indexing="ij"), *torch.meshgrid(x[0], x[0, :4], indexing="xy")),
    "diagonals of sizes": lambda x: (torch.eye(x.shape[0], 3), torch.eye(x.shape[0])),
    "largest": lambda x: (*x.max(1), x.amax(1, keepdim=True), *x.min(1, keepdim=True), x.argmax(1)),
    "largest without positions": lambda x: (x.max(1).values, x.min(1, keepdim=True)[0], x.max(-1).indices, x.min(0).values),
    "spread": lambda x: (x.var(1), x.std(1, unbiased=False), *torch.var_mean(x, 1, correction=0)),
    "norms": lambda x: (x.norm(dim=1), torch.linalg.vector_norm(x, 1, dim=1), F.normalize(x)),
    "sorted": lambda x: (*x.topk(2), *x.sort(1, descending=True)),
    "activations": lambda x: (
        F.gelu(x, approximate="tanh") + F.hardswish(x) + F.elu(x, 0.5) + F.leaky_relu(x, 0.2) + F.softplus(x, 2.0, 3.0)
    ),
    "glu": lambda x: F.glu(x, 1),
    "pieces": lambda x: (*x.split([1, 2, 3], 1), *x.chunk(4, 1), *x.chunk(3, 1), *x.unbind(1)),
    "joined": lambda x: (torch.cat([x, x], 1), torch.stack([x, x], 1), torch.hstack([x, x])),
    "slices": lambda x: (x[:, 1:-1], x[:, ::2], x[:, -2:], x[:, 3], x.narrow(1, 2, 3), x.narrow(1, -2, 2), x.narrow(1, -5, 3)),
    "repeated": lambda x: (x.repeat(1, 2), x[:, None].expand(-1, 3, -1), x.repeat_interleave(2, 1), x.tile(2)),
    "rolled": lambda x: (x.roll(1, 1), x.flip(1)),
    "padded": lambda x: (F.pad(x, (1, 2)), F.pad(x, (0, 1), value=3.0), F.pad(x[:, None], (2, 1), mode="reflect")),
    "looked up": lambda x: x[:, torch.tensor([0, 2, 2])],
    "gathered": lambda x: x.gather(1, x.argsort(1)),
    "sorted downward": lambda x: (x.argsort(1, descending=True), *x.sort(1, descending=True), x.sort(0).values),
    "one hot": lambda x: F.one_hot((x > 0).long(), 2),
    "made of sizes": lambda x: (
        x + torch.arange(6) + torch.linspace(0, 1, 6) + x.new_ones(6) + torch.full((x.shape[0], 1), 2.0) + torch.eye(6)[0]
    ),
    "reshaped": lambda x: (
        x.view(-1, 2, 3).permute(2, 0, 1).transpose(0, 1),
        x.unflatten(1, (3, 2)).movedim(1, 2).flatten(1),
        x.view(-1, 6),
    ),
    "axes of a scalar, and none": lambda x: (
        x.sum().movedim(-1, 0) + x.sum().squeeze(-1) + x.sum().flip(0).transpose(0, -1),
        x.flip([]).movedim(1, -1).movedim(0, 1),
    ),
    "matrices": lambda x: (
        F.linear(x, x[0]),
        F.linear(x[:, None], x[0], x[0, 0]),
        x @ x.t()[:, :1],
        torch.einsum("ni,nj->nij", x, x),
        torch.bmm(x[:, None], x[..., None]),
        torch.addmm(x, x, torch.eye(6)),
    ),
    "windows": lambda x: x.unfold(1, 3, 2),
    "logic": lambda x: ((x > 0) & (x < 2) | ~(x == 1), torch.logical_xor(x > 0, x > 1), (x > 0).any(1), (x > 0).all(1, keepdim=True)),
    "types": lambda x: (x.long(), (x > 0).to(torch.float64), x.to(torch.int32) + 1, x.bool()),
    "infinite numbers": lambda x: (x == float("inf"), torch.where(x > 2, x, float("-inf")), x.clamp(min=0, max=float("inf"))),
    "losses": lambda x: (
        F.mse_loss(x, x * 2, reduction="none"),
        F.smooth_l1_loss(x, -x, beta=0.5),
        F.kl_div(x.log_softmax(1), x.softmax(1), reduction="sum"),
        F.binary_cross_entropy_with_logits(x, x.sigmoid(), pos_weight=torch.ones(6)[None].expand_as(x) * 2),
        F.cross_entropy(x, (x[:, 0] > 1).long(), label_smoothing=0.1),
    ),
    "written to": lambda x: (
        torch.zeros_like(x).scatter_add(1, (x > 2).long(), x),
        x.scatter_reduce(1, (x > 2).long(), x, "amax", include_self=False),
        x.index_put((torch.tensor([0, 1]), torch.tensor([1, 2])), torch.tensor([5.0, 6.0])),
        x.index_put((torch.tensor([1, 1]),), torch.ones(1, 6), accumulate=True),
        _masked(x),
    ),
    "Fourier transforms": lambda x: (
        torch.fft.fft(torch.fft.fft(x.view(-1, 2, 3), dim=-1), dim=-2).real,
        torch.view_as_real(torch.fft.fft2(x.view(-1, 2, 3), norm="ortho")),
        torch.view_as_real(torch.fft.rfft2(x.view(-1, 2, 3))),
        torch.fft.irfft2(torch.fft.rfft2(x.view(-1, 2, 3)), s=(2, 3)),
    ),
    "buckets": lambda x: (
        torch.bucketize(x, torch.linspace(0, 4, 5), right=True),
        torch.bucketize(x, torch.linspace(0, 4, 5), out_int32=True),
        torch.searchsorted(torch.linspace(0, 4, 5), x, side="right"),
        torch.searchsorted(torch.linspace(0, 4, 5), x.round()),
    ),
    "members of a set with NaN": lambda x: torch.isin(x.round(), torch.where(x > 2, torch.nan, x.round()).repeat(1, 3)),
    "members of a set of integers": lambda x: (
        torch.isin(x.long(), x[:, :5].long().repeat(1, 4) + 1, invert=True),
        torch.isin(x.long(), torch.arange(-600, 0, 2)),
    ),
    "medians": lambda x: (*x.median(1), *x.median(0, keepdim=True), x - x.median(), (x * 9).long().median(1).values),
    "medians with NaN": lambda x: torch.where(x > x.mean(), torch.nan, x).median(1),
    "bilinear forms of computed weights": lambda x: F.bilinear(x, x + 1, (x.t() @ x)[None]),
    "copies": lambda x: (x.to(torch.float32, copy=True) + 1, x.to(torch.int64, copy=True), F.dropout(x, 0.0)),
    "defined by others": lambda x: (x.frac(), torch.rad2deg(x), x.fliplr(), torch.xlogy(x, x.abs()), torch.addcdiv(x, x, x * x + 1)),
    "extremes so far": lambda x: (*x.cummax(1), *x.cummin(1)),
    "lerp and others": lambda x: (torch.lerp(x, x * 2, 0.3), torch.atan2(x, x + 1), torch.maximum(x, -x), torch.fmod(x, 2), x % 3),
}


ALONG = {
    "the same shape": lambda x: torch.take_along_dim(x, x.argsort(1), 1),
    "broadcast indices": lambda x: torch.take_along_dim(x.unflatten(1, (2, 3)), x.unflatten(1, (2, 3)).argsort(1)[..., :1], 1),
    "a broadcast tensor": lambda x: torch.take_along_dim(x[:, None], x.unflatten(1, (2, 3)).argsort(-1), -1),
}


@pytest.mark.parametrize("function", ALONG.values(), ids=ALONG.keys())
def test_elements_taken_along_an_axis(function: Any) -> None:
    """torch.export fixes the batch of this function, so there is one input."""
    torch.manual_seed(0)
    agree(Function(function), torch.randn(2, 6))


@pytest.mark.long
def test_all_functions_of_vectors() -> None:
    torch.manual_seed(0)
    agree(Together(VECTORS.values()), *[torch.randn(n, 6) * 2 + 1 for n in (2, 3)])


@pytest.mark.parametrize("function", VECTORS.values(), ids=VECTORS.keys())
@pytest.mark.long
def test_of_vectors(function: Any) -> None:
    torch.manual_seed(0)
    agree(Function(function), *[torch.randn(n, 6) * 2 + 1 for n in (2, 3)])


IMAGES = {
    "convolutions": nn.Sequential(nn.Conv2d(4, 6, (3, 1), (2, 1), (1, 0), groups=2), nn.ConvTranspose2d(6, 4, 3, 2, output_padding=1)),
    "padding by name": nn.Conv2d(4, 3, 3, padding="same", dilation=2),
    "padding of another kind": nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"),
    "pools": nn.Sequential(
        nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2, 1, 1, count_include_pad=False), nn.AdaptiveAvgPool2d((2, 1))
    ),
    "norms": nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, affine=True), nn.LocalResponseNorm(3)),
    "norms of the training": nn.Sequential(
        nn.InstanceNorm2d(4, track_running_stats=True), nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
    ),
    "norms without weights": nn.Sequential(
        nn.BatchNorm2d(4, affine=False), nn.GroupNorm(2, 4, affine=False), nn.LayerNorm([4, 6, 6], bias=False)
    ),
    "activations with parameters": nn.Sequential(nn.PReLU(), nn.PReLU(4)),
    "shuffled": nn.Sequential(nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ChannelShuffle(2)),
    "resized": nn.Sequential(nn.Upsample(scale_factor=2), nn.Upsample((5, 7), mode="bilinear"), nn.UpsamplingBilinear2d(scale_factor=2)),
    "dropout of channels": nn.Sequential(nn.Dropout2d(0.1), nn.Dropout(0.2), nn.Dropout(0.0)),
    "columns": nn.Unfold(3, padding=1),
    "columns and back": nn.Sequential(nn.Unfold(3, padding=1), nn.Fold(6, 3, padding=1)),
    "random slopes": nn.RReLU(),
    "sampled": Function(lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1).tanh(), padding_mode="border", align_corners=False)),
}


def test_bounds_that_are_too_large_to_try() -> None:
    """PyTorch's quantile has one too, but which one depends on the version."""
    model = netc.from_torch(Function(lambda x: x * 2 if x.shape[0] <= 2**24 else x), torch.randn(5), {0: {0: "T"}})
    assert "where T <= 16777216" in model.spec()


def test_what_onnx_lacks_is_proved_in_pytorch() -> None:
    """PyTorch interpolates bytes in steps that ONNX cannot express."""
    module = Function(lambda x: F.interpolate(x, scale_factor=0.6, mode="bilinear", align_corners=True))
    x = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    proved = import_spec(make_module_origin(module, (x,), {}, {0: {0: "N"}}, "Small"))
    assert proved.proof is not None
    assert list(proved.proof.differences) == ["PyTorch"]
    assert "not compared in ONNX Runtime: `upsample` cannot be exported to ONNX here" in proved.format_report()


def test_tensors_without_axes() -> None:
    one, grid = torch.tensor(-1.5), torch.randn(3, 4)
    agree(Of(lambda m, x, slope: F.prelu(x, slope) + F.prelu(x[0, 0], slope)), (grid, one), dims={0: {}, 1: {}})
    agree(Function(lambda x: x.index_fill(0, torch.tensor([0]), 2.0) + x), one, dims={0: {}})


def _agree_on_images(module: nn.Module) -> None:
    torch.manual_seed(0)
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2)
    agree(module, *[torch.randn(n, 4, 6, 6) * 2 + 1 for n in (2, 3, 1)])


def test_all_modules_of_images() -> None:
    _agree_on_images(Together(IMAGES.values()))


@pytest.mark.parametrize("module", IMAGES.values(), ids=IMAGES.keys())
@pytest.mark.long
def test_of_images(module: nn.Module) -> None:
    _agree_on_images(nn.Sequential(module))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.uint8], ids=str)
def test_integers_divided_towards_zero(dtype: torch.dtype) -> None:
    """The ends of the type are among the dividends."""
    ends = torch.iinfo(dtype)
    numbers = torch.tensor([[ends.min, ends.max, 7, 0, ends.min + 1, 8]]).to(dtype)
    divisors = torch.tensor([[3, 2, 4, 5, 7, 1]]).to(dtype) * (1 if dtype == torch.uint8 else torch.tensor([1, -1] * 3, dtype=dtype))
    agree(Function(lambda x: torch.div(x, 3, rounding_mode="trunc")), numbers.repeat(2, 1), numbers)
    two = Of(lambda _, x, y: torch.div(x, y, rounding_mode="trunc"))
    agree(two, *[(numbers.repeat(n, 1), divisors.repeat(n, 1)) for n in (2, 1)])


BAGS = [
    *({"mode": mode} for mode in ("mean", "sum", "max")),
    *({"mode": mode, "padding_idx": at} for mode, at in (("sum", 2), ("sum", 1), ("max", 0), ("mean", -1))),
]


def test_all_bags_of_embeddings() -> None:
    """Bags of all rows, which shows what is left out. PyTorch's module sets the row of the padding to zeros, which hides it."""
    torch.manual_seed(0)
    bags = [nn.EmbeddingBag(9, 4, **options) for options in BAGS]
    for bag in bags:
        nn.init.normal_(bag.weight)
    rows = torch.arange(9)
    agree(Together(bags), rows[None].repeat(2, 1), torch.stack([rows, rows.flip(0), rows // 8]))
    # The operator that PyTorch calls below has -1 where the module has None.
    below = Of(lambda m, x: torch._embedding_bag(m.bag.weight, x.flatten(), torch.tensor([0, 4]), padding_idx=-1)[0], bag=bags[0])
    agree(below, rows, rows.flip(0), dims={0: [None]})


@pytest.mark.parametrize("options", BAGS, ids=str)
@pytest.mark.sample(2)
def test_bags_of_embeddings(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    bag = nn.EmbeddingBag(9, 4, **options)
    nn.init.normal_(bag.weight)
    indices = [torch.randint(0, 9, (n, 5)) for n in (2, 3, 1)]
    agree(Of(lambda m, x: m.bag(x), bag=bag), *indices)
    agree(Of(lambda m, x: m.bag(x, torch.tensor([0, 2, 2, 5])), bag=bag), torch.randint(0, 9, (7,)), dims={0: [None]})
    if options == {"mode": "sum"}:
        weighted = Of(lambda m, x, w: m.bag(x, per_sample_weights=w), bag=bag)
        agree(weighted, *[(one, torch.randn(one.shape)) for one in indices])


@pytest.mark.parametrize("options", BAGS, ids=str)
def test_a_bag_alone(options: dict[str, Any]) -> None:
    """A model cannot have the weight of a bag itself, so it is a tensor in the spec."""
    bag = nn.EmbeddingBag(9, 4, **options)
    nn.init.normal_(bag.weight)
    indices = [torch.randint(0, 9, (n, 5)) for n in (2, 3, 1)]
    found = agree(bag, *indices, torch.zeros(2, 5, dtype=torch.int64), torch.full((2, 5), 8))
    assert list(found.weights) == ["weight"]
    if options == {"mode": "sum"}:
        weighted = Of(lambda m, x, w: nn.functional.embedding_bag(x, m.bag.weight * 2, per_sample_weights=w, mode="sum"), bag=bag)
        agree(weighted, *[(one, torch.randn(one.shape)) for one in indices])


def test_a_size_among_the_results_is_named() -> None:
    with pytest.raises(ImportFailed, match="is a size that the module returns or uses as a tensor; return tensors only"):
        imported(Function(lambda x: (x * 2, x.shape[0])), torch.randn(2, 6))


SEVERAL_RESULTS: dict[str, Any] = {
    "max": lambda x: x.max(1),
    "min keepdim": lambda x: x.min(2, keepdim=True),
    "median": lambda x: x.median(1),
    "sort": lambda x: x.sort(2),
    "topk": lambda x: x.topk(2, 2),
    "cummax": lambda x: x.cummax(1),
    "aminmax": lambda x: torch.aminmax(x, dim=1),
    "var_mean": lambda x: torch.var_mean(x, 2),
    "max_pool": lambda x: F.max_pool1d(x, 2, return_indices=True),
    "chunk": lambda x: x.chunk(2, 1),
}


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("name", SEVERAL_RESULTS)
def test_one_result_of_several(name: str, at: int) -> None:
    """Models often read only the first: `x.max(1).values`."""
    agree(Of(lambda m, x: SEVERAL_RESULTS[name](x)[at]), *[torch.randn(n, 5, 4) for n in (2, 3, 1)])


@pytest.mark.parametrize("dim", [None, -1, 0, 1, 2])
def test_weight_norm_of_an_axis(dim: int | None) -> None:
    module = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 5, 3), dim=dim)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(torch.rand_like(parameter) + 0.5)
    agree(module, torch.randn(2, 4, 7))


def test_an_argument_that_no_reader_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not ignored, whatever the operator."""
    monkeypatch.setitem(READERS, "celu", lambda site: site.apply_op("celu", site.tensor()))
    agree(Function(F.celu), torch.randn(2, 4))
    with pytest.raises(ImportFailed, match=r"its argument `alpha=0.5` has no counterpart"):
        imported(Function(lambda x: F.celu(x, 0.5)), torch.randn(2, 4))


def test_an_argument_of_gradients() -> None:
    """`scale_grad_by_freq` changes what training does, and nothing else."""
    module = nn.Sequential(nn.Embedding(5, 3, scale_grad_by_freq=True), nn.Linear(3, 2))
    tokens = torch.randint(0, 5, (2, 4))
    agree(module, tokens)
    with pytest.raises(ImportFailed, match="its argument `scale_grad_by_freq=True` has no counterpart"):
        netc.from_torch(module, tokens, train=True)


@pytest.mark.parametrize("spatial", [(), (5,), (4, 5), (2, 3, 4)], ids=str)
def test_batch_norm_with_statistics_of_other_tensors(spatial: tuple[int, ...]) -> None:
    """The mean and the variance are computed, so no `batch_norm` of netc has them."""

    def normalize(self: Any, x: Any) -> Any:
        return F.batch_norm(x, self.mean * 2, self.var + 1, self.weight, self.bias, eps=0.1)

    module = Of(normalize)
    for name in ("mean", "var", "weight", "bias"):
        module.register_buffer(name, torch.rand(3) + 1)
    agree(module, *batches(3, *spatial))


@pytest.mark.parametrize("axes", [(5,), (4, 5), (3, 4, 5)], ids=str)
def test_layer_norm_over_several_axes(axes: tuple[int, ...]) -> None:
    layer = nn.LayerNorm(axes)
    nn.init.uniform_(layer.weight)
    nn.init.uniform_(layer.bias)
    agree(layer, *batches(3, 4, 5))
