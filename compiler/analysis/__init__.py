"""Analyses of graphs.

They change nothing, and know no backend.

    state_dict.py         parameters by their keys; dependent_parameters.py: initial values that follow another parameter
    model_cost.py         parameters, FLOPs and memory
    input_shapes.py       checks of the sizes of real inputs, with where_checks.py and stage_checks.py
    sample_dependence.py  which tensors depend on the samples of a batch
"""
