"""The training file of Flax, for `netc compile --target flax --train`: the clauses of a section in JAX and optax, a module for each topic.

The tags are as in ../torch_template/, whose words these modules use: the same section has the same constants and the same order of samples.
The parts below the markers, in the order of `MODULES`, are one file. flax_file.py lists what such a file lacks. mypy does not see these
modules, because a name of one is defined in another, and jax may not be installed.
"""

MODULES = ("named_parameters", "plateau", "random_images", "sample_batches", "fitted_standardize", "gradient_steps", "training_loop")
TEMPLATES = tuple(f"flax_template/{name}.py" for name in MODULES)
"""The files, from the folder of the package around this one."""
