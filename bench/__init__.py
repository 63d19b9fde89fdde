"""Benchmarks: whole processes, each compared with a peer in the same run. `python -m bench`; see README.md."""
