"""Code as data: expressions, the code of whole classes, and the classes that are to be written."""
