"""Binds names: finds the definition that each name of a syntax tree refers to, before anything is evaluated.

`bind_file` takes a syntax tree, also one with parts that did not parse, and returns `FileNames`. The warnings for unused names, the
language server, renaming, and the evaluator's cache of bodies all use it.

    declarations.py     which names a node binds
    name_scopes.py      definitions, occurrences, and the scopes in which names are visible
    dimension_names.py  the symbolic dimensions that the inputs of a model declare
    section_names.py    the names of train sections
    item_binder.py      the names in one block, `fn`, model, train section or statement
    file_names.py       a file: its definitions, and the names that it imports
"""
