"""The meanings of names, and where they are visible: values, definitions, scopes, graph frames, labels and the memo.

The interpreter is built on this package; nothing here evaluates syntax.
"""
