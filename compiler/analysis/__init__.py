"""Analyses of graphs. They change nothing, and need no backend.

state_dict.py, dependent_parameters.py    parameters by their keys, and initial values that follow another parameter
model_cost.py                             parameters, FLOPs and memory
input_shapes.py, where_checks.py, stage_checks.py    checks of the sizes of real inputs
means.py, sample_dependence.py, sample_mixing.py     a loss in parts: totals and counts
"""
