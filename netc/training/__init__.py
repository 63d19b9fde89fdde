"""Training: from a checked train section and data to trained weights in a folder.

    recipe.py               reads the settings of a section into typed records
    optimizer_options.py    checks the arguments of optimizers and schedules against PyTorch's own signatures
    data/                   opens the data and matches its columns with the inputs
    source/                 emits the training file, whose functions everything here executes
    objective.py            the objective as a module: totals and counts, loss and metrics
    optimizers.py           resolves the optimizer and the schedule
    loop.py                 runs the steps
    run_folder.py           writes the configuration, metrics and weights; checkpoints.py writes checkpoints
    parallel.py             DDP, FSDP and compilation; tensor_parallel.py splits layers
    planning/               estimates memory and time without computing

In: a `Training` of the compiler. Out: a run folder. Always: PyTorch does the computing; the order of samples depends only on the seed, the
epoch and the index; no text of a spec is executed as code.
"""
