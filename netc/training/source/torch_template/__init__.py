"""The training file of PyTorch, as Python modules. Every clause of a train section that computes something is here, and nowhere else.

`netc compile --target train` prints the parts below the markers, in the order of `MODULES`, and `netc train` and `objective` execute them.
A tag keeps a line, and the block below it, only for sections that have the tag:

    clip_gradients(model)  # if: clip_norm or clip_value
    for micro_batch in micro_batches:  # if: parts else batch

With `else`, a section without the tag gets the block without its loop, for the single value. The first of two tags decides first.
clauses.py decides which tags a section has. Lines with the tag `run` are for `netc train`, which may have several processes, another
precision and checkpoints: `run` is the `StepHooks` of ../../step.py. A file contains only the functions that it uses. `# generated: NAME`
stands for a function that depends on the model or the data. declared_names.py declares what each section defines, so the
modules are checked like any others.
"""

MODULES = ("parameter_groups", "sample_splits", "batched_samples", "measured_features", "optimizer_step", "training_epochs")
TEMPLATES = tuple(f"torch_template/{name}.py" for name in MODULES)
"""The files, from the folder of the package around this one."""
