"""Tensors, stages and statements: which definition each of their names refers to. In and out are those of resolve_expressions.py."""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.source import Span

from .names import NameScope
from .resolve_expressions import ExpressionNames


class StatementNames(ExpressionNames):
    """Finds the names in statements."""

    def _body(self, body: ast.Body, outer: NameScope) -> NameScope:
        scope = NameScope(body.span, outer)
        for statement in body.statements:
            self._statement(statement, scope)
        return scope

    def _statement(self, node: ast.Statement, scope: NameScope, top: bool = False) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                self._tensor(value, scope)
                for target in targets:
                    self._bind(scope, target, "tensor", node)
            case ast.Let(name=name, value=value):
                self._expr(value, self.top if top else scope)
                if not top:
                    self._bind(scope, name, "let", node)
            case ast.Out(results=results):
                for result in results:
                    self._tensor(result, scope)
            case ast.ExpectCondition(condition=condition):
                self._expr(condition, scope)
            case ast.ExpectShape(name=name, shape=shape):
                self._use_of(name.span, name.name, scope)
                self._expr(shape, scope)
            case ast.Shared(name=name, stage=stage):
                self._tensor(stage, scope, stage=True)
                self._bind(scope, name, "shared", node)
            case ast.Default(operator=operator, keywords=keywords):
                self._use_of(operator.span, operator.name, scope, stage=True)
                self._keywords(keywords, scope, None)
            case ast.Flow(pipeline=pipeline):
                self._tensor(pipeline, scope)
            case ast.Broken(names=names) if not top:
                for name in names:
                    self._bind(scope, name, "let", node)
            case _:
                self._of_section(node, scope)

    def _of_section(self, node: ast.Statement, scope: NameScope) -> None:
        """The statements that only a train section has."""
        match node:
            case ast.Metric(name=name, value=value):
                self._tensor(value, scope)
                self._bind(scope, name, "tensor", node)
            case ast.Setting(word=word, stages=stages):
                self._note(word.span, word.name, None)
                for stage in stages:
                    self._setting(stage, scope)

    def _setting(self, stage: ast.Tensor, scope: NameScope) -> None:
        if isinstance(stage, ast.Apply):
            self._use_of(stage.name_span, stage.name, scope)
            self._arguments(stage, scope, None)
        else:
            self._tensor(stage, scope)

    def _tensor(self, node: ast.Tensor, scope: NameScope, stage: bool = False) -> None:
        while isinstance(node, ast.TensorBinary):  # as deep as a sum is long
            self._tensor(node.right, scope)
            node = node.left
        match node:
            case ast.Pipeline(head=head, stages=stages):
                self._tensor(head, scope)
                for one in stages:
                    self._tensor(one, scope, stage=True)
            case ast.ValueOperand(value=value) | ast.Is(shape=value):
                self._expr(value, scope)
            case ast.TensorUnary(operand=operand):
                self._tensor(operand, scope)
            case ast.Apply():
                self._apply(node, scope, stage)
            case ast.Group(members=members):
                for member in members:
                    self._members(member, scope, stage and len(members) == 1)
                self._keywords(node.keywords, scope, None)
                self._label(node.label, scope)
            case (
                ast.Repeat(binders=binders, over=over, label=label, body=body)
                | ast.Each(binders=binders, over=over, label=label, body=body)
            ):
                inner = NameScope(Span(body.span.file, node.span.start, body.span.end), scope)
                self._expr(over, scope)
                self._binders(binders, inner, node)
                self._label(label, inner)
                self._body(body, inner)
            case ast.Scan():
                self._scan(node, scope)
            case ast.If(test=test, then=then, otherwise=otherwise):
                self._expr(test, scope)
                self._body(then, scope)
                if otherwise is not None:
                    self._body(otherwise, scope)
            case ast.InputDecl() | ast.ParamDecl() | ast.TableDecl() | ast.StoredTableDecl():
                self._declared(node, scope)

    def _members(self, member: ast.Pipeline, scope: NameScope, stage: bool) -> None:
        self._tensor(member.head, scope, stage=stage and bool(member.stages))
        for one in member.stages:
            self._tensor(one, scope, stage=True)

    def _declared(self, node: ast.InputDecl | ast.ParamDecl | ast.TableDecl | ast.StoredTableDecl, scope: NameScope) -> None:
        self._expr(node.shape, scope)
        if node.dtype is not None:
            self._use_of(node.dtype.span, node.dtype.name, scope)
        match node:
            case ast.InputDecl(keywords=keywords, where=where, each=each):
                self._keywords(keywords, scope, None)
                for condition in where:
                    self._expr(condition, scope)
                if each is not None:
                    self._expr(each.over, scope)
                    self._binders(each.binders, NameScope(each.span, scope), node)
            case ast.ParamDecl(keywords=keywords, label=label) | ast.StoredTableDecl(keywords=keywords, label=label):
                self._keywords(keywords, scope, None)
                self._label(label, scope)
            case ast.TableDecl(indices=indices, formula=formula, label=label):
                inner = NameScope(node.span, scope)
                for index in indices:
                    self._bind(inner, index, "variable", node)
                self._expr(formula, inner)
                self._label(label, scope)

    def _scan(self, node: ast.Scan, scope: NameScope) -> None:
        inner = NameScope(node.span, scope)
        for state in node.states:
            self._tensor(state.start, scope)
        for state in node.states:
            self._bind(inner, state.name, "tensor", state)
        self._keywords(node.keywords, scope, None)
        self._body(node.body, inner)
