"""Models of the normalization family for the differential tests, and what it refuses."""

from torch.nn.utils import parametrizations

CASES = [
    "input 5 -> standardize",
    "input [] -> standardize",
    "input 3xHxW -> standardize",
    "input [T, 4] float64 -> standardize axis=-1",
    "input [T, 4] float16 -> standardize axis=2",
    "input 3x4x5 -> standardize axis=2",
    "input [3, 4] batch=false -> standardize",
    "x = input [T, 8]; w = param [4, 8] init=normal as weight; x -> dense 4 weight=spectral_normalize(w)",
    "input [7, 2] batch=false -> spectral_normalize axis=-1 eps=1e-6",
    "input [3, 4, 2] batch=false -> (spectral_normalize axis=1 n_power_iterations=3) as norm",
    "input [3, 4, 2, 2] float64 batch=false -> spectral_normalize dim=2",
    "x = input [T, 8]; w = input [8] batch=false; b = input [8] batch=false; (x, w, b) -> layer_norm relu",
    "x = input [T, 8]; w = input [8] batch=false; x -> layer_norm weight=w eps=1e-3",
    "x = input [T]; w = input [T] batch=false; x -> layer_norm weight=w",
    "x = input 3x4x5; w = input [4, 5] batch=false; x -> rms_norm shape=[4, 5] weight=w",
    "x = input [T]; w = input [T] batch=false; (x, w) -> rms_norm",
    "x = input 6x5x5; w = input [6] batch=false; b = input [6] batch=false; x -> group_norm 3 weight=w bias=b",
    "x = input 6xT where T > 1; w = input [6] batch=false; (x, w) -> group_norm 2 eps=1e-3",
    "x = input 5x4x4; w = input [5] batch=false; b = input [5] batch=false; (x, w, b) -> batch_norm relu",
    "x = input 5; w = input [5] batch=false; x -> batch_norm weight=w",
    "x = input 5x4x4; w = input [5] batch=false; x -> batch_norm track_running_stats=false weight=w",
    "x = input 4x5x5; w = input [4] batch=false; b = input [4] batch=false; x -> instance_norm affine=true weight=w bias=b",
    "x = input 4x5; w = input [4] batch=false; (x, w) -> instance_norm affine=true track_running_stats=true",
    "input 5 -> batch_norm",
    "input 5 -> batch_norm relu",
    "input 5xT -> batch_norm eps=1e-3 momentum=0.5",
    "input 5xT -> batch_norm momentum=none",
    "input 5x4x4 -> batch_norm affine=false",
    "input 5xHxW -> batch_norm bias=false",
    "input 2x3x4x5 -> batch_norm",
    "input 5x4x4 -> batch_norm track_running_stats=false",
    "input 5xT where T >= 2 -> batch_norm track_running_stats=false affine=false",
    "input [3, 5] batch=false -> batch_norm track_running_stats=false bias=false",
    "input [5, 4, 4] float64 -> batch_norm",
    "input [5, 4, 4] float16 -> batch_norm",
    "input 4x6 -> instance_norm",
    "input 4xHxW where H >= 2 -> instance_norm affine=true eps=1e-3",
    "input 2x3x4x5 -> instance_norm relu affine=true bias=false",
    "input 4x5x5 -> instance_norm track_running_stats=true",
    "input 4x1 -> instance_norm track_running_stats=true affine=true",
    "input [4, 5, 5] float16 -> instance_norm",
    "input 6x5x5 -> group_norm 3",
    "input 3x32x32 -> group_norm 1",
    "input 6xT -> group_norm 2 silu eps=1e-3",
    "input 6 -> group_norm 2",
    "input 6xHxW where H >= 2 -> group_norm 6 affine=false",
    "input 6xHxW -> group_norm 1 bias=false",
    "input 2x3x4x5 -> group_norm 1",
    "input [6, 5, 5] float64 -> group_norm 3",
    "input [6, 5, 5] float16 -> group_norm 3",
    "input 8 -> layer_norm",
    "input [T, 8] -> layer_norm eps=1e-6",
    "input [T, 8] -> layer_norm relu bias=false",
    "input [2, T, 8] -> layer_norm affine=false",
    "input 3x4x5 -> layer_norm shape=[4, 5]",
    "input 3x4x5 -> layer_norm shape=[3, 4, 5] affine=false",
    "input 3xTx5 where T == 4 -> layer_norm shape=[4, 5]",
    "input [8] batch=false -> layer_norm shape=8",
    "input [T, 8] float64 -> layer_norm",
    "input [T, 8] float16 -> layer_norm",
    "input [T, 8] -> rms_norm",
    "input [T, 8] -> rms_norm silu eps=1e-6 affine=false",
    "input 3x4x5 -> rms_norm shape=[4, 5]",
    "input [T, 8] float64 -> rms_norm",
    "input [T, 8] float16 -> rms_norm",
    "input [T, 8] float16 -> mul 0.001 -> rms_norm",
    "input 7x4x4 -> local_response_norm 5",
    "input 7xHxW -> local_response_norm 3 alpha=0.5 beta=0.5 k=2",
    "input 7x4x4 -> local_response_norm 4 alpha=0.5",
    "input 7xT -> local_response_norm 3 alpha=0.5",
    "input 3x2xHx4 -> local_response_norm 2 relu alpha=0.5",
    "input 7x4x4 -> local_response_norm 1 alpha=0.5",
    "input 3x4x4 -> local_response_norm 9 alpha=0.5",
    "x = input [7, 4, 4] int64; x * 5 - 2 -> local_response_norm 3 alpha=0.5",
    "x = input [7, T] int64; x * 5 - 2 -> local_response_norm 4 relu alpha=0.5",
    "x = input [3, 2, H, 4] int64; x * 5 - 2 -> local_response_norm 5 alpha=0.5 k=2",
]

TORCH_ONLY = [
    "input [7, 4, 4] float64 -> local_response_norm 2",
]
"""Element types that ONNX Runtime has no kernels for on the CPU."""

REFUSED = [
    ("input 5 -> standardize axis=0", "bad-argument"),
    ("input 5 -> standardize axis=2", "bad-axis"),
    ("input [T, 4] -> standardize", "symbolic-parameter"),
    ("input 5 int64 -> standardize", "needs-float"),
    ("x = input [T, 8]; w = input [7] batch=false; (x, w) -> layer_norm", "wrong-size"),
    ("x = input [T, 8]; w = input [8] batch=false; (x, w) -> layer_norm affine=false", "no-such-parameter"),
    ("x = input 5x4x4; w = input [5] batch=false; x -> instance_norm weight=w", "no-such-parameter"),
    ("x = input [T, 8]; b = input [8] batch=false; x -> layer_norm bias=b", "bias-without-weight"),
    ("input 5 -> batch_norm eps=0", "wrong-argument"),
    ("input 5 -> batch_norm eps=0 track_running_stats=false", "wrong-argument"),
    ("input [] -> batch_norm", "wrong-rank"),
    ("input 2x3x4x5x6 -> batch_norm", "wrong-rank"),
    ("input [3, 8] int64 -> batch_norm", "needs-float"),
    ("input [T, 8] -> batch_norm", "symbolic-parameter"),
    ("input [T, 8] -> batch_norm affine=false track_running_stats=false", "wrong-size"),
    ("input [1, 8] batch=false -> batch_norm track_running_stats=false", "wrong-size"),
    ("input 3 -> instance_norm", "wrong-rank"),
    ("input 3x1 -> instance_norm", "wrong-size"),
    ("input 3x1x1 -> instance_norm affine=true", "wrong-size"),
    ("input [T, 8] -> instance_norm", "wrong-size"),
    ("input [T, 8] -> instance_norm affine=true", "symbolic-parameter"),
    ("input [3, 8] bool -> instance_norm", "needs-float"),
    ("input 6x5x5 -> group_norm 4", "not-divisible"),
    ("input 6x5x5 -> group_norm 0", "wrong-argument"),
    ("input [6] batch=false -> group_norm 3", "wrong-rank"),
    ("input [1, 6] batch=false -> group_norm 6", "wrong-size"),
    ("input [6, 5] int32 -> group_norm 3", "needs-float"),
    ("input [] batch=false -> layer_norm", "wrong-rank"),
    ("input [8] int64 -> layer_norm", "needs-float"),
    ("input [T, 8] -> layer_norm shape=[7]", "bad-argument"),
    ("input [T, 8] -> layer_norm shape=[1, 1, 1, 8]", "bad-argument"),
    ("input [T, 8] -> layer_norm shape=[5, 8]", "unprovable"),
    ("input [8, T] -> layer_norm", "symbolic-parameter"),
    ("input [8, T] -> layer_norm affine=false", "wrong-size"),
    ("input [8, T] -> rms_norm affine=false", "wrong-size"),
    ("input [8] int64 -> rms_norm", "needs-float"),
    ("input [8] -> rms_norm shape=[4]", "bad-argument"),
    ("input [8] -> local_response_norm 3", "wrong-rank"),
    ("input [8, 4] int32 -> local_response_norm 3", "needs-float"),
    ("input [8, 4] -> local_response_norm 0", "wrong-argument"),
    ("input [8, 4] float16 -> local_response_norm 3 beta=1e30", "scalar-does-not-fit"),
    ("input [4] batch=false -> spectral_normalize", "wrong-rank"),
    ("input [4, 3] batch=false -> spectral_normalize axis=2", "bad-axis"),
    ("input [4, 3] batch=false -> spectral_normalize n_power_iterations=0", "wrong-argument"),
    ("input [4, 3] int64 batch=false -> spectral_normalize", "needs-float"),
    ("input 4 -> spectral_normalize", "symbolic-parameter"),
]


def _spectral(args, weight):  # type: ignore[no-untyped-def]
    return args.layer(parametrizations._SpectralNorm(weight, args.n_power_iterations, args.axis, args.eps))(weight)


def _standardize(args, x):  # type: ignore[no-untyped-def]
    axis = min(1, x.dim() - 1) if args.axis is None else args.axis
    if x.dim() == 0 or not -x.dim() <= axis < x.dim() or (args.axis is not None and axis % x.dim() == 0):
        raise IndexError("there is no such axis of features")
    if not x.is_floating_point():
        raise TypeError("mean and std are numbers with a fraction")
    if args.state is None:
        return x
    mean, std = (args.state[name].reshape([-1] + [1] * (x.dim() - 1 - axis % x.dim())) for name in ("mean", "std"))
    return (x - mean) / std


REFERENCES = {"spectral_normalize": _spectral, "standardize": _standardize}
