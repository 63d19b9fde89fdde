"""The language service: answers for editors, notebooks and pages about a text.

In: texts by their paths, and offsets in them. Out: records with offsets. Always: nothing here speaks a protocol, prints or waits. Every
text has answers, even if it does not parse, and no function raises an exception except `RenameRefused`.

    workspace        the open texts, and the files on disk that they use
    checked_text     one text: its tree, its models, and the compiler's index of each
    context, repair  the tokens and the scope around an offset, also in a text that does not parse
    completion_items, hover, signatures, inlay_hints, navigation, diagnostics, actions, document_symbols, semantic_tokens
                     one kind of question each
"""
