"""What a training needs, before machines are rented: memory on each device, the largest batch, and bounds of the time of a step.

    device_specs.py    devices by name, from public data sheets
    measure.py    one step on tensors without numbers: what is in memory when, and the number of operations
    device_plan.py       the division over devices, and what limits it

In: a `Training` and the machine. Out: a `Plan`. Always: nothing is allocated, computed or read; times are lower bounds.
"""
