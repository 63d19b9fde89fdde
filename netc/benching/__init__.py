"""Benchmarks of models: `netc bench`.

In: a model and what it is compared with. Out: latencies, throughput, memory and load times, by turns in the same run. Always: each
contender is loaded from files in a process of its own, on the same inputs and the same number of threads.
"""
