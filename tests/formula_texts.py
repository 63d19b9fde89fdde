"""Formulas in Python's notation."""

from __future__ import annotations

import ast

from netc.compiler.dims import make_symbol
from netc.compiler.ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, ItemFormula, ListFormula, UnaryFormula

OPS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.Eq: "==", ast.NotEq: "!=",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.USub: "-", ast.Not: "not", ast.And: "and", ast.Or: "or",
}  # fmt: skip


def formula(text: str) -> Formula:
    """The formula of Python's notation, with the indices `i` and `j`, and the size `T`."""
    return convert(ast.parse(text, mode="eval").body)


def convert(node: ast.expr) -> Formula:
    match node:
        case ast.Constant(value):
            return Const(value)  # type: ignore[arg-type]
        case ast.Name("T"):
            return Const(make_symbol("T"))
        case ast.Name(name):
            return IndexFormula("ij".index(name))
        case ast.UnaryOp(op, operand):
            return UnaryFormula(OPS[type(op)], convert(operand))
        case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
            return BinaryFormula(OPS[type(op)], convert(left), convert(right))
        case ast.BoolOp(op, [left, right]):
            return BinaryFormula(OPS[type(op)], convert(left), convert(right))
        case ast.Subscript(ast.List(items), index):
            return ItemFormula(ListFormula(tuple(map(convert, items))), (convert(index),))
        case ast.Call(ast.Name(name), arguments):
            return CallFormula(name, tuple(convert(a) for a in arguments))
    raise TypeError(ast.dump(node))
