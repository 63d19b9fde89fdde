"""Python code as data: expressions, the code of whole classes, and the classes that a file is made of.

Emitters return trees of `Code`, not text, because names, layout and the merging of similar blocks are decided after them.
"""
