"""Write a method of a class as a function of an instance of another class, which has the same attributes.

>>> part = '''class Net:
...     def __init__(self):
...         super().__init__()
...         self.layer = Linear(2, 3)
...
...     def forward(self, x):
...         return self.layer(x)'''
>>> full = part.replace("        self", "        self.other = Linear(3, 4)\\n        self")
>>> print(write_method_as_function(part, full, "forward", "compute_hidden", "model", "Compute h."))
def compute_hidden(model, x):
    \"\"\"Compute h.\"\"\"
    return model.layer(x)
>>> write_method_as_function(full, part, "forward", "compute_hidden", "model", "Compute h.")
"""

from __future__ import annotations

import ast
import re
import textwrap

from .printing.line_layout import WIDTH


def write_method_as_function(cls: str, other: str, method: str, name: str, receiver: str, doc: str) -> str | None:
    """Write the method of the class as a function of an instance `model` of the other class.

    Args:
        cls: The text of the class that has the method.
        other: The text of the class of the instances.
        method: The name of the method.
        name: The name of the function.
        receiver: The first parameter of the function: `model`, with its type.
        doc: The text of its docstring.

    Returns:
        The text of the function. None if the class has no such method, or if its constructor has a statement that the other constructor
        does not have: then the attributes may differ.
    """
    methods, others = _find_methods(cls), _find_methods(other)
    if method not in methods or method not in others or not _list_statements(methods) <= _list_statements(others):
        return None
    node = methods[method]
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    text = textwrap.dedent("\n".join(cls.split("\n")[first - 1 : node.end_lineno]))
    if re.search(r"\bmodel\b", text):
        return None
    text = re.sub(rf"^def {method}\((\s*)self\b", rf"def {name}(\1{receiver}", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"(?<!\.)\bself\b", "model", text)
    text = re.sub(r"^def .*$", _wrap_head, text, count=1, flags=re.MULTILINE)
    return text.replace(":\n", f':\n    """{doc}"""\n', 1)


def _wrap_head(match: re.Match[str]) -> str:
    """Put the parameters on a line of their own if the name of the function made the line too long."""
    head = match[0]
    start, _, rest = head.partition("(")
    parameters, arrow, result = rest.rpartition(") -> ")
    return f"{start}(\n    {parameters}\n{arrow}{result}" if arrow and len(head) > WIDTH else head


def _find_methods(cls: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(cls).body[0]
    assert isinstance(tree, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _list_statements(methods: dict[str, ast.FunctionDef]) -> set[str]:
    """Return the statements of the constructor, each as a text that does not depend on its place."""
    return {ast.dump(statement) for statement in methods["__init__"].body} if "__init__" in methods else set()
