"""The packages that only some commands need, and the command that installs them.

Messages name the packages, `pip install resvg-py`, and no extra such as `netc[draw]`. netc is not on a package index yet, so pip would
install whatever a stranger publishes under that name. The packages' names work from a checkout and from an index.

    >>> format_install_command("pygls", "lsprotocol")
    'pip install pygls lsprotocol'
"""

from __future__ import annotations

DISTRIBUTIONS = {
    "PIL": "pillow",
    "braceexpand": "webdataset",
    "datasets": "datasets",
    "coremltools": "coremltools",
    "executorch": "executorch",
    "flax": "flax",
    "fsspec": "datasets",
    "jax": "jax",
    "huggingface_hub": "huggingface_hub",
    "litert_torch": "litert-torch",
    "lsprotocol": "lsprotocol",
    "mlx": "mlx",
    "mlx_cpu": "mlx-cpu",
    "httptools": "httptools",
    "iree.compiler": "iree-base-compiler",
    "iree.runtime": "iree-base-runtime",
    "onnx_ir": "onnx-ir",
    "openvino": "openvino",
    "optuna": "optuna",
    "prometheus_client": "prometheus-client",
    "pyarrow": "pyarrow",
    "pygls": "pygls",
    "python_multipart": "python-multipart",
    "ray": "ray",
    "resvg_py": "resvg-py",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "starlette": "starlette",
    "submitit": "submitit",
    "tensorboard": "tensorboard",
    "tokenizers": "tokenizers",
    "torchvision": "torchvision",
    "tract": "tract",
    "transformers": "transformers",
    "tvm": "apache-tvm",
    "uvicorn": "uvicorn",
    "webdataset": "webdataset",
}
"""Each module that netc imports only where a command needs it, and its name on a package index. The extras in pyproject.toml have the same
packages."""


def format_install_command(*modules: str) -> str:
    """Return the command that installs the packages of some modules.

    Args:
        modules: Names as in `import`, of modules or of their submodules.
    """
    return "pip install " + " ".join(_find_distribution(module) for module in modules)


def _find_distribution(module: str) -> str:
    """Return the package of a module. A submodule such as `PIL.Image` comes with the package of its first name, and the parts of a
    namespace package such as `iree` have packages of their own."""
    top = module.partition(".")[0]
    return DISTRIBUTIONS.get(module) or DISTRIBUTIONS.get(top, top)
