"""The evaluator: one `Elaborator` (elaborator.py), composed of one part for each group of constructs.

`evaluator_protocol.py` declares what the parts need of each other; every other module here holds one part and imports only parts below it.
"""
