"""Every form of the language reference, read into the tree it should be."""

from __future__ import annotations

import pytest

from netc.dsl import ast
from netc.dsl.parser import parse_source, parse_value
from netc.dsl.source import SourceFile
from tests.dsl.helpers import examples, pipeline, plain, read, value

N = ("Name", "N")


def name(text: str) -> tuple[str, str]:
    return ("Name", text)


def number(n: float) -> tuple[str, float]:
    return ("NumberLiteral", n)


def apply(called: str, *positional: object, **keywords: object) -> tuple[object, ...]:
    return ("Apply", called, positional, tuple(("Keyword", k, v) for k, v in keywords.items()), None, False, None)


@pytest.mark.parametrize("text", examples())
def test_examples_have_no_problems(text: str) -> None:
    assert read(text).items


def test_one_line_is_a_model() -> None:
    got = pipeline("input 3 -> dense 2 sigmoid -> dense 1 sigmoid")
    assert plain(got.head) == ("InputDecl", number(3), None, (), (), None)
    assert plain(got.stages) == (apply("dense", number(2), name("sigmoid")), apply("dense", number(1), name("sigmoid")))


ARGUMENTS = {
    "conv 64 3x3 padding=1 bias=false": apply(
        "conv", number(64), ("Dims", (number(3), number(3))), padding=number(1), bias=("Boolean", False)
    ),
    "softmax axis=-1": apply("softmax", axis=("Unary", "-", number(1))),
    "roll shift=-w": apply("roll", shift=("Unary", "-", name("w"))),
    "dense (4 * d)": apply("dense", ("Binary", "*", number(4), name("d"))),
    "dense widths[i]": apply("dense", ("IndexExpr", name("widths"), name("i"))),
    "dense x.shape[1]": apply("dense", ("IndexExpr", ("Attribute", name("x"), "shape"), number(1))),
    "dense in.channels": apply("dense", ("Attribute", name("in"), "channels")),
    "dense round_to(v)": apply("dense", ("Call", name("round_to"), (name("v"),), ())),
    "dense f(2, k=v)": apply("dense", ("Call", name("f"), (number(2),), (("Keyword", "k", name("v")),))),
    "dense f() [1]": apply("dense", ("Call", name("f"), (), ()), ("ListExpr", (number(1),))),
    "param_like init=normal(0.02)": apply("param_like", init=("Call", name("normal"), (number(0.02),), ())),
    "pad [1, -2] mode=same": apply("pad", ("ListExpr", (number(1), ("Unary", "-", number(2)))), mode=name("same")),
    "reshape[N, 3]": apply("reshape", ("ListExpr", (N, number(3)))),
    "reshape [N, 3,]": apply("reshape", ("ListExpr", (N, number(3)))),
    "conv w stride=(2 if i == 0 else 1)": apply(
        "conv", name("w"), stride=("Conditional", number(2), ("Binary", "==", name("i"), number(0)), number(1))
    ),
    'rearrange "n c -> c n" p=2': apply("rearrange", ("String", "n c -> c n"), p=number(2)),
    "where": apply("where"),
}


@pytest.mark.parametrize("text", ARGUMENTS)
def test_arguments(text: str) -> None:
    assert plain(pipeline(f"x -> {text}").stages) == (ARGUMENTS[text],)


def test_a_tight_parenthesis_is_a_call() -> None:
    got = pipeline("x -> conv(64, 3, padding=1) relu as c").stages[0]
    assert isinstance(got, ast.Apply)
    assert got.called
    assert plain(got.positional) == (number(64), number(3))
    assert got.activation is not None
    assert plain(got.activation) == name("relu")
    assert plain(got.keywords) == (("Keyword", "padding", number(1)),)
    assert got.label is not None
    assert got.label.span.text == "c"


EXPRESSIONS = {
    "50_257": number(50257),
    "1e-5": number(1e-5),
    "3xHxW": ("Dims", (number(3), name("H"), name("W"))),
    "0..n + 1": ("Range", number(0), ("Binary", "+", name("n"), number(1))),
    "-a ** -b": ("Unary", "-", ("Binary", "**", name("a"), ("Unary", "-", name("b")))),
    "a or b and not c": ("Binary", "or", name("a"), ("Binary", "and", name("b"), ("Unary", "not", name("c")))),
    "a not in b": ("Unary", "not", ("Binary", "in", name("a"), name("b"))),
    "a - b - c": ("Binary", "-", ("Binary", "-", name("a"), name("b")), name("c")),
    "a % 2 == 0": ("Binary", "==", ("Binary", "%", name("a"), number(2)), number(0)),
    "where(a > 0, 1, 2)": ("Call", name("where"), (("Binary", ">", name("a"), number(0)), number(1), number(2)), ()),
    "a.b": ("Attribute", name("a"), "b"),
    "a[2].b": ("Attribute", ("IndexExpr", name("a"), number(2)), "b"),
    "[]": ("ListExpr", ()),
    "[i for i in z]": ("Comprehension", name("i"), (("ForClause", ("NamePattern", (name("i"),)), name("z")),)),
    "[i for (i, j) in z if i for k in j]": (
        "Comprehension",
        name("i"),
        (
            ("ForClause", ("NamePattern", (name("i"), name("j"))), name("z")),
            name("i"),
            ("ForClause", ("NamePattern", (name("k"),)), name("j")),
        ),
    ),
    '"a.{i}"': ("TemplateString", ("a.", name("i"))),
    '"text"': ("String", "text"),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text: str) -> None:
    assert plain(value(text)) == EXPRESSIONS[text]
    alone, problems = parse_value(SourceFile("--set", text))
    assert problems == []
    assert alone is not None
    assert alone.span.text == text
    assert plain(alone) == EXPRESSIONS[text]


def test_the_span_of_parentheses_holds_them() -> None:
    got = value("(a + b) * c")
    assert got.span.text == "(a + b) * c"


def test_tensor_arithmetic_binds_tighter_than_arrows() -> None:
    got = pipeline("-a + b * 2 @ c ** 2 -> relu")
    product = ("TensorBinary", "*", apply("b"), ("Scalar", 2))
    power = ("TensorBinary", "**", apply("c"), ("Scalar", 2))
    assert plain(got.head) == ("TensorBinary", "+", ("TensorUnary", "-", apply("a")), ("TensorBinary", "@", product, power))
    assert plain(got.stages) == (apply("relu"),)


def test_values_in_tensor_arithmetic() -> None:
    got = pipeline("x / in.features > x.shape[1]").head
    features = ("ValueOperand", ("Attribute", name("in"), "features"))
    axis = ("ValueOperand", ("IndexExpr", ("Attribute", name("x"), "shape"), number(1)))
    assert plain(got) == ("TensorBinary", ">", ("TensorBinary", "/", apply("x"), features), axis)


def names(*parts: str) -> object:
    return ("NamePattern", tuple(name(part) for part in parts))


def test_loops() -> None:
    body = ("Body", (("Flow", ("Pipeline", apply("relu"), ())),))
    label = ("Label", ("layer", ("Binary", "+", name("i"), number(1))))
    assert plain(pipeline("repeat 3 { relu }").head) == ("Repeat", names(), number(3), None, body, None)
    assert plain(pipeline("repeat i in 0..4 { relu }").head) == ("Repeat", names("i"), ("Range", number(0), number(4)), None, body, None)
    got = pipeline("repeat (i, w) in z as layer{i+1} { relu }").head
    assert plain(got) == ("Repeat", names("i", "w"), name("z"), label, body, None)
    assert plain(pipeline("each r in [6] as b { relu }").head) == (
        "Each", names("r"), ("ListExpr", (number(6),)), ("Label", ("b",)), body,
    )  # fmt: skip
    assert plain(pipeline("repeat (n) { relu }").head) == ("Repeat", names(), name("n"), None, body, None)
    nested = ("NamePattern", (name("i"), names("a", "b")))
    assert plain(pipeline("repeat (i, (a, b)) in z { relu }").head) == ("Repeat", nested, name("z"), None, body, None)


def test_a_loop_that_collects() -> None:
    (item,) = read("(a, b[], c..., d[]) = x -> repeat 3 { relu }").items
    assert isinstance(item, ast.Assign)
    assert (item.rests, item.lists) == ((2,), (1, 3))
    assert plain(item.value.stages[0])[-1] == ("CollectedResults", (1, -1), 2, 1)  # type: ignore[index]
    (item,) = read("(a[], b) = repeat 3 { relu }").items
    assert isinstance(item, ast.Assign)
    assert plain(item.value.head)[-1] == ("CollectedResults", (0,), 2, None)  # type: ignore[index]


def test_a_list_of_inputs() -> None:
    clause = ("ForClause", names("i"), name("n"))
    got = pipeline("x = input 3 for i in n where i > 2").head
    assert plain(got) == ("InputDecl", number(3), None, (), (("Binary", ">", name("i"), number(2)),), clause)


def test_a_let_of_several_names_is_one_for_each() -> None:
    pattern = ("NamePattern", (name("a"), names("b", "c")))
    made = [plain(item) for item in read("let (a, (b, c)) = z").items]
    assert made == [("Let", name(n), ("UnpackedItem", name("z"), pattern, name(n))) for n in "abc"]


def test_else_if_is_a_body_of_one_statement() -> None:
    got = pipeline("if a { relu } else if b { } else { tanh }").head
    assert isinstance(got, ast.If)
    assert got.otherwise is not None
    assert plain(got.otherwise) == plain(ast.Body(got.span, (ast.Flow(got.span, pipeline("if b { } else { tanh }")),)))


def test_statements() -> None:
    file = read("(a, b) = x -> chunk 2\nlet k = 1\nout a, b\nexpect params == 3\nexpect output [N]\nshared f = dense 2")
    assert [type(item).__name__ for item in file.items] == ["Assign", "Let", "Out", "ExpectCondition", "ExpectShape", "Shared"]
    first, _, third, *_ = file.items
    assert isinstance(first, ast.Assign)
    assert first.unpack
    assert plain(first.targets) == (name("a"), name("b"))
    assert isinstance(third, ast.Out)
    assert len(third.results) == 2


def test_definitions() -> None:
    file = read('use "a": b, c\nfn f(v, d=8) = v\nblock g(x: [..., _, D], h=1) { x }\nmodel m { in }\nblock e() { }')
    one = ("ParameterDecl", name("h"), number(1))
    assert plain(file.items[0]) == ("Use", ("String", "a"), (name("b"), name("c")))
    assert plain(file.items[1]) == (
        "Fn",
        name("f"),
        (("ParameterDecl", name("v"), None), ("ParameterDecl", name("d"), number(8))),
        name("v"),
    )
    block = file.items[2]
    assert isinstance(block, ast.Block)
    assert plain(block.parameters) == (("TensorParameter", name("x"), (name("..."), name("_"), name("D")), False, False), one)


def test_sources() -> None:
    got = pipeline("image = input 3xHxW float16 batch=false where H % 32 == 0, W > 1 -> relu")
    assert isinstance(got.head, ast.InputDecl)
    assert len(got.head.where) == 2
    assert len(got.stages) == 1
    both = pipeline("(input 3, param [1, d] int64 init=zeros as p)").head
    assert isinstance(both, ast.Group)
    assert plain(both.members[1].head) == (
        "ParamDecl", ("ListExpr", (number(1), name("d"))), name("int64"), (("Keyword", "init", name("zeros")),), ("Label", ("p",)),
    )  # fmt: skip
    table = pipeline("table (i, j) [4, 4] int64 = i * j as t").head
    assert plain(table) == (
        "TableDecl", (name("i"), name("j")), ("ListExpr", (number(4), number(4))), name("int64"), ("Binary", "*", name("i"), name("j")),
        ("Label", ("t",)),
    )  # fmt: skip


@pytest.mark.long
def test_a_hundred_thousand_stages() -> None:
    got = pipeline("x = input 3" + " -> dense 64 relu" * 100_000)
    assert len(got.stages) == 100_000


def test_long_sums_are_left_nested() -> None:
    got = value("+".join(["1"] * 10_000))
    count = 0
    while isinstance(got, ast.Binary):
        got, count = got.left, count + 1
    assert count == 9_999


def test_a_file_covers_its_whole_text() -> None:
    text = "# a\r\nx = input 3\r\n  -> relu # b\r\n"
    file, problems = parse_source(SourceFile("a.net", "\ufeff" + text))
    assert problems == []
    assert file.span.text == "\ufeff" + text


@pytest.mark.parametrize("text", ["x = input 3\rx -> relu\r", "# a\rx = input 3\nx -> relu # b\r\n", "x = input 3\r\r\nx -> relu"])
def test_a_lone_carriage_return_is_refused_and_its_edit_ends_the_lines(text: str) -> None:
    _, problems = parse_source(SourceFile("a.net", text))
    (edit,) = problems[0].edits
    assert len(problems) == 1
    assert text[problems[0].span.start : problems[0].span.end] == "\r"
    mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert mended.replace("\r\n", "\n") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert parse_source(SourceFile("a.net", mended))[1] == []


@pytest.mark.parametrize("text", ['use "a\rb": c', "block f(x) \r{ x }"])
def test_a_lone_carriage_return_within_a_line_has_no_edit(text: str) -> None:
    (problem,) = parse_source(SourceFile("a.net", text))[1]
    assert "carriage return" in problem.message
    assert problem.edits == ()


def test_an_activation_may_stand_behind_the_keywords() -> None:
    (stage,) = pipeline("x -> conv 8 3x3 padding=1 relu as c").stages
    assert isinstance(stage, ast.Apply)
    assert stage.activation is not None
    assert (stage.activation.name, len(stage.positional), len(stage.keywords)) == ("relu", 2, 1)
