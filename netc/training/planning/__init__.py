"""Estimate what a training run needs before you rent a machine: memory on each device, the largest batch, and bounds on the time of a step.

    device_specs.py    devices by name, from public data sheets
    measure.py         profiles one step on fake tensors: the memory after each operation, and the number of operations
    device_plan.py     divides the step over devices, and finds the bottleneck

In: a `Training` and the machine. Out: a `DevicePlan`. Always: nothing is allocated, computed or read; times are lower bounds.
"""
