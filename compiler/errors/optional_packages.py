"""The packages that only some commands need, and the command that installs them.

Messages name the packages, `pip install resvg-py`, and no extra such as `netc[draw]`. netc is not on a package index yet, so pip would
install whatever a stranger publishes under that name. The packages' names work from a checkout and from an index.

    >>> format_install_command("pygls", "lsprotocol")
    'pip install pygls lsprotocol'
"""

from __future__ import annotations

DISTRIBUTIONS = {
    "PIL": "pillow",
    "flax": "flax",
    "jax": "jax",
    "huggingface_hub": "huggingface_hub",
    "lsprotocol": "lsprotocol",
    "mlx": "mlx",
    "mlx_cpu": "mlx-cpu",
    "httptools": "httptools",
    "onnx_ir": "onnx-ir",
    "prometheus_client": "prometheus-client",
    "pyarrow": "pyarrow",
    "pygls": "pygls",
    "python_multipart": "python-multipart",
    "resvg_py": "resvg-py",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "starlette": "starlette",
    "tensorboard": "tensorboard",
    "tokenizers": "tokenizers",
    "torchvision": "torchvision",
    "transformers": "transformers",
    "uvicorn": "uvicorn",
}
"""Each module that netc imports only where a command needs it, and its name on a package index. The extras in pyproject.toml have the same
packages."""


def format_install_command(*modules: str) -> str:
    """Return the command that installs the packages of some modules.

    Args:
        modules: Names as in `import`, of modules or of their submodules.
    """
    # A submodule such as `PIL.Image` comes with the package of its first name.
    tops = [module.partition(".")[0] for module in modules]
    return "pip install " + " ".join(DISTRIBUTIONS.get(top, top) for top in tops)
