"""Benchmarks of models: `netc bench`.

In: a model, and others to compare it with. Out: latencies, throughput, memory and load times, measured in turns in the same run. Always:
each contender is loaded from files in a process of its own, and gets the same inputs and the same number of threads.
"""
