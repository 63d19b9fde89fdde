"""The typed graph: programs, graphs, nodes and values as plain data.

graph.py, graph_values.py    programs, graphs, nodes, values and tuples of values
verify.py                    the invariants that they keep, which every test checks
walk.py, flat_graph.py       finding graphs, nodes and stages; walking a program as if it had no calls
copy_graph.py, replace_values.py, substitute_symbols.py, inline_calls.py    the changes that passes are made of
traced_floats.py, choices.py    formulas of floats, and the `if`s of a body, for backends that write them again
training_program.py          a train section: the objective as a program, and its settings
"""
