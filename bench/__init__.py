"""Benchmarks: whole processes, each beside a peer in the same run. `python -m bench.run`; see README.md."""
