"""What editors, notebooks and pages ask about a text: the language service.

In: texts by their paths, and offsets in them. Out: records with offsets. Always: nothing here speaks a protocol, prints or waits; any
text has answers, also one that does not parse; no question raises an exception.

    workspace     texts that are open, and those on disk that they use
    checked       what netc knows of one text: its tree, its models, the index of each
    names         which definition each name of a text refers to, found in its tree alone, so also where nothing was evaluated
    diagnostics, hover, hints, completion, navigation, symbols, actions, tokens, signatures     one kind of question each
"""
