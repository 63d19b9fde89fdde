"""Training: from a checked train section and data to trained weights in a folder.

    recipe.py      the settings of a section as typed records
    optimizer_options.py     the arguments of optimizers and schedules, held against PyTorch's own signatures
    data/          the sources of data, their columns held against the inputs, and the order of samples
    objective.py   the objective as a module: totals and counts of a batch in parts, loss and metrics of the whole
    optimizers.py  parameter groups, optimizer, schedule
    loop.py        the steps
    run_folder.py  what is written: configuration, metrics, checkpoints

In: a `Training` of the compiler. Out: a run folder. Always: PyTorch does the computing; which sample is when is a function of seed, epoch
and index; nothing of a spec is executed as code.
"""
