"""Sweeps and searches: choose values of parameters, run a trial with each choice, and collect the results.

A `Study` chooses the values: every combination (`grid_study.py`), or what Optuna proposes (`optuna_study.py`). A `TrialExecutor` runs the
trials: in this process (`trial_executor.py`), on Ray (`ray_executor.py`), or as jobs of submitit (`submitit_executor.py`). `run_study.py`
connects the two. Any study works with any executor, and the packages of both are imported only when they are used.
"""
