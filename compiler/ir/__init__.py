"""The typed graph: programs, graphs, nodes and values as plain data.

Nothing in this package knows a backend.

    graph.py, graph_values.py         programs, graphs, nodes, values and tuples of values
    verify.py                         the invariants that they keep; every test checks them
    walk.py, flat_graph.py            find graphs, nodes and stages; walk a program as if it had no calls
    copy_graph.py, inline_calls.py    the changes that passes are made of, with replace_values.py and substitute_symbols.py
    choices.py, traced_floats.py      the `if`s of a body, and formulas of floats, for backends that write them again
    training_program.py               a train section: the objective as a program, and its settings
"""
