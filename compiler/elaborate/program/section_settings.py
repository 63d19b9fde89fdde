"""The settings of a train section: their words are checked, and their arguments evaluated.

`evaluate_settings` takes the statements of a section and its scope, and returns `Setting`s in their order. A name that is bound is its
value. A name that is not bound is a word, such as `adamw`; so is the first word after `optimizer`, and after each `->` of `schedule`. After
`validate`, the first word is a format unless it is the only one and is bound to a number.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "train { label = input 1; loss = (y, label) -> mse_loss; optimizer adamw; schedule warmup 10 -> cosine }"
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 1; {section}"), Choice()).training
    >>> [(setting.word, [stage.name for stage in setting.stages]) for setting in training.settings]
    [('optimizer', ['adamw']), ('schedule', ['warmup', 'cosine'])]
"""

from __future__ import annotations

import re
from typing import Any

from netc.dsl import ast

from ...errors.recipe_errors import NegativeSetting, SettingArithmetic, SettingAssigned, SettingTwice, UnknownSetting, WrongSetting
from ...ir.training_program import Setting, SettingArgument, SettingStage, Word
from ...ops.operator import Operator
from ...types.traced_ints import strip_formulas
from ..elaboration_session import ElaborationSession
from ..interpreter.elaborator import Elaborator
from ..names.setting_words import (
    CHAINED,
    REPEATABLE,
    SETTINGS,
    TAKES_NAME,
    TAKES_NEGATIVE,
    find_arithmetic_setting,
    find_assigned_setting,
    optimizer_advice,
    setting_advice,
    similar_settings,
)
from ..scopes.early_exits import Failure
from ..scopes.scope import LazyLet, Scope

_NEGATIVE = re.compile(r"-([\d.][\d._]*([eE][+-]?\d+)?|inf)")
SHARE = "validate"
"""The setting whose argument may be a number instead of a name with arguments."""


def drop_mistaken_settings(statements: tuple[ast.Statement, ...], session: ElaborationSession) -> tuple[ast.Statement, ...]:
    """The statements without those that are meant as settings and are others, `batch 2 * 8` and `epochs = 3`, which are reported."""
    kept: list[ast.Statement] = []
    for statement in statements:
        match = find_arithmetic_setting(statement.pipeline.head) if isinstance(statement, ast.Flow) else None
        if match is not None:
            word, span = match
            # `clip -1` was meant as written, `batch 2 * 8` as a product: the first is a wrong value, the second needs parentheses.
            is_refused = word not in TAKES_NEGATIVE and _NEGATIVE.fullmatch(span.text)
            session.report_problem(NegativeSetting(word) if is_refused else SettingArithmetic(word, span.text), span)
        elif (setting := find_assigned_setting(statement)) is not None:
            word, value = setting
            session.report_problem(SettingAssigned(word, value, optimizer_advice(word, value)), statement.span)
        else:
            kept.append(statement)
    return tuple(kept)


def _setting_advice(node: ast.Setting, scope: Scope) -> str:
    """The help for a word that is no setting; empty if none is known."""
    name, stage = node.word.name, node.stages[0]
    arguments = (*stage.positional, *(k.value for k in stage.keywords)) if isinstance(stage, ast.Apply) else ()
    is_stage = name in Operator.registry or scope.find_binding(name) is not None
    advice = setting_advice(name, arguments[0].span.text if arguments else "...")
    return advice or (f"give the tensor a name: `{name} = ...`" if is_stage else "")


def evaluate_settings(statements: tuple[ast.Statement, ...], scope: Scope, elaborator: Elaborator) -> tuple[Setting, ...]:
    """Reports unknown words, words that are set twice, and arguments that cannot be evaluated."""
    session = elaborator.session
    settings: list[Setting] = []
    first: dict[str, ast.Name] = {}
    for statement in statements:
        if not isinstance(statement, ast.Setting):
            continue
        word = statement.word
        if word.name not in SETTINGS:
            session.report_problem(
                UnknownSetting(word.name, similar_settings(word.name), SETTINGS, _setting_advice(statement, scope)), word.span
            )
            continue
        if word.name in first and word.name not in REPEATABLE:
            session.report_problem(SettingTwice(word.name), word.span, ((first[word.name].span, "the first one"),))
        # Also after the error, so that a third one points at the one before it.
        first[word.name] = word
        with session.catch_failures(()):
            settings.append(_evaluate_setting(statement, scope, elaborator))
    return tuple(settings)


def _evaluate_setting(node: ast.Setting, scope: Scope, elaborator: Elaborator) -> Setting:
    word = node.word
    stages = [_evaluate_stage(stage, word.name, index == 0, scope, elaborator) for index, stage in enumerate(node.stages)]
    if len(stages) > 1 and word.name not in CHAINED:
        raise Failure(WrongSetting(word.name, "is not followed by `->`"), node.stages[1].span)
    return Setting(word.name, word.span, tuple(stages), node.span)


def _evaluate_stage(node: ast.Tensor, word: str, first: bool, scope: Scope, elaborator: Elaborator) -> SettingStage:
    if not isinstance(node, ast.Apply):
        raise Failure(WrongSetting(word, "takes names and arguments"), node.span)
    positional = list(node.positional) + ([node.activation] if isinstance(node.activation, ast.Name) else [])
    name, name_span = node.name, node.name_span
    if first:
        name = ""
        lead = positional[0] if positional else None
        only = lead if len(positional) == 1 and not node.keywords else None
        if word in TAKES_NAME and isinstance(lead, ast.Name) and not (word == SHARE and only is lead and _is_number(lead, scope)):
            positional = positional[1:]
            name, name_span = lead.name, lead.span
    unnamed = tuple(
        SettingArgument("", _evaluate_value(argument, scope, elaborator), argument.span, argument.span) for argument in positional
    )
    named = tuple(SettingArgument(k.name, _evaluate_value(k.value, scope, elaborator), k.value.span, k.name_span) for k in node.keywords)
    return SettingStage(name, name_span, unnamed, named, node.span)


def _is_number(name: ast.Name, scope: Scope) -> bool:
    """Whether a name is bound to a number, or to a `let` that is not evaluated yet, so that it is no format."""
    binding_and_scope = scope.find_binding(name.name)
    return binding_and_scope is not None and isinstance(binding_and_scope[0].value, (int, float, LazyLet))


def _evaluate_value(expr: ast.Expr, scope: Scope, elaborator: Elaborator) -> Any:
    if isinstance(expr, ast.Name):
        binding_and_scope = scope.find_binding(expr.name)
        if binding_and_scope is None or not isinstance(binding_and_scope[0].value, (int, float, str, tuple, LazyLet)):
            return Word(expr.name)
    if isinstance(expr, ast.ListExpr):
        return tuple(_evaluate_value(item, scope, elaborator) for item in expr.items)
    return strip_formulas(elaborator.evaluate(expr, scope))
