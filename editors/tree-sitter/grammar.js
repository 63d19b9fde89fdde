// The grammar of the net language for tree-sitter: what dsl/net.lark and dsl/token_filter.py say, in the form that editors read.
// src/scanner.c decides which ends of lines end a statement.

const EXPR = { conditional: 1, or: 2, and: 3, not: 4, compare: 5, range: 6, sum: 7, term: 8, unary: 9, power: 10, postfix: 12 };

const list = (rule) => seq(rule, repeat(seq(",", rule)), optional(","));
const optionalList = (rule) => optional(list(rule));

const binary = ($, operand, make) => [
  make.left(EXPR.sum, choice("+", "-")),
  make.left(EXPR.term, choice("*", "/", "//", "%", "@")),
];

module.exports = grammar({
  name: "net",
  externals: ($) => [$._newline, $._never],
  extras: ($) => [/[ \t\f\r\n]/, $.comment],
  word: ($) => $.identifier,
  conflicts: ($) => [
    [$.metric, $._callee],
    [$.binders, $._plain],
    [$._target, $._callee],
    [$.collected_target, $._callee],
    [$.value, $.attribute],
    [$._head, $._plain],
    [$._callee, $._plain],
    [$._callee, $._plain, $.stage_expr],
    [$._callee, $.stage_expr],
    [$.apply, $._postfix],
    [$.of_pipeline, $.group],
    [$._callee, $.name_pattern, $._plain],
    [$._callee, $.name_pattern],
  ],
  rules: {
    source_file: ($) => seq(optional(/\ufeff/), repeat($._end), $._item, repeat(seq(repeat1($._end), $._item)), repeat($._end)),
    _end: ($) => choice($._newline, ";"),
    _item: ($) => choice($.use, $.function, $.block, $.model, $.derived_model, $.train, $.derived_train, $._statement),

    use: ($) => seq("use", field("path", $.string), optional(seq(":", $.identifier, repeat(seq(",", $.identifier))))),
    function: ($) => seq("fn", field("name", $.identifier), "(", optionalList($.parameter), ")", "=", $._expr),
    block: ($) => seq("block", field("name", $.identifier), optional($.parameters), $.body),
    model: ($) => seq("model", field("name", $.identifier), optional($.parameters), $.body),
    derived_model: ($) => prec.right(seq("model", field("name", $.identifier), optional($.parameters), "=", $.apply, optional($.body))),
    train: ($) => seq("train", optional(seq(field("name", $.identifier), optional($.parameters))), optional(seq("for", $.apply)), $.body),
    derived_train: ($) =>
      prec.right(seq("train", field("name", $.identifier), optional($.parameters), "=", $.apply, optional($.body))),
    parameters: ($) => seq("(", optionalList(choice($.parameter, $.tensor_parameter, $.no_tensor)), ")"),
    parameter: ($) => seq(field("name", $.identifier), optional(seq("=", $._expr))),
    tensor_parameter: ($) =>
      choice(
        seq(field("name", $.identifier), optional("?"), $._tensor_shape),
        seq(field("name", $.identifier), "...", optional($._tensor_shape)),
      ),
    _tensor_shape: ($) => seq(":", "[", optionalList(choice($._expr, "...")), "]"),
    no_tensor: ($) => seq("in", ":", $.identifier),
    body: ($) => seq("{", repeat($._end), optional(seq($._statement, repeat(seq(repeat1($._end), $._statement)), repeat($._end))), "}"),

    _statement: ($) => choice($.assign, $.unpack, $.let, $.metric, $.out, $.expect, $.shared, $.default, $.pipeline),
    assign: ($) => seq(field("name", $.identifier), "=", $.pipeline),
    unpack: ($) => prec.dynamic(1, seq("(", list($._target), ")", "=", $.pipeline)),
    _target: ($) => choice($.identifier, $.rest_target, $.collected_target),
    rest_target: ($) => seq($.identifier, "..."),
    collected_target: ($) => seq($.identifier, token.immediate("["), "]"),
    let: ($) => seq("let", choice($.identifier, $.name_pattern), "=", $._expr),
    metric: ($) => prec.dynamic(3, seq("metric", field("name", $.identifier), "=", $.pipeline)),
    out: ($) => seq("out", $.pipeline, repeat(seq(",", $.pipeline))),
    expect: ($) => seq("expect", choice($._expr, seq($.identifier, $.list), seq($.identifier, $.identifier, $.identifier))),
    shared: ($) => seq("shared", field("name", $.identifier), "=", $._stage),
    default: ($) => seq("default", $._name, repeat1($.keyword)),
    _name: ($) => $.identifier,

    pipeline: ($) => seq($._source, repeat(seq("->", $._stage))),
    _source: ($) => choice($._tensor, $.table, $.input_where, $.input_for),
    _tensor: ($) => choice($._head, $.tensor_binary, $.tensor_unary),
    tensor_binary: ($) =>
      choice(
        prec.left(EXPR.compare, seq($._tensor, $.compare, $._tensor)),
        prec.left(EXPR.sum, seq($._tensor, choice("+", "-"), $._tensor)),
        prec.left(EXPR.term, seq($._tensor, choice("*", "/", "//", "%", "@"), $._tensor)),
        prec.right(EXPR.power, seq($._tensor, "**", $._tensor)),
      ),
    tensor_unary: ($) => prec(EXPR.unary, seq("-", $._tensor)),
    _head: ($) => choice($._stage, $.input, $.param, $.stored_table, $.number, $.value),
    value: ($) =>
      prec.left(
        EXPR.postfix,
        choice(
          seq(choice($.identifier, "in"), ".", $._attribute),
          seq($.value, ".", $._attribute),
          seq($.value, token.immediate("["), $._expr, "]"),
        ),
      ),

    _stage: ($) => choice($.apply, $.group, $.repeat, $.each, $.scan, $.when, $.is),
    _callee: ($) => choice($.identifier, "where", alias("metric", $.identifier), $._reserved),
    // words that cannot be names: what must follow them here never does
    _reserved: ($) =>
      seq(
        choice(
          "use", "fn", "block", "model", "let", "out", "expect", "shared", "default", "train", "input", "param", "table", "repeat", "each",
          "scan",
        ),
        $._never,
      ),
    apply: ($) => choice(prec.right(seq("in", optional($.label))), $._apply),
    _apply: ($) =>
      prec.right(
        seq(
          choice(
            field("operator", $._callee),
            seq(field("operator", $._callee), alias($._tight_list, $.list)),
            seq(field("operator", choice($.identifier, alias("where", $.identifier))), token.immediate("("), optionalList($._call_argument), ")"),
          ),
          repeat($._argument),
          optional($.label),
        ),
      ),
    _tight_list: ($) => seq(token.immediate("["), optionalList($._expr), "]"),
    _argument: ($) => choice($._postfix, $.keyword, $._reserved),
    keyword: ($) =>
      choice(
        seq(field("name", $.identifier), "=", choice($._postfix, $.negative)),
        seq("tie", "=", choice($.path, $._postfix)),
      ),
    negative: ($) => seq("-", $._postfix),
    // what could be either is an expression
    _call_argument: ($) => choice($._expr, prec.dynamic(-1, $.pipeline), alias($._named, $.keyword)),
    _named: ($) => seq(field("name", $.identifier), "=", choice($._expr, prec.dynamic(-1, $.pipeline))),
    of_pipeline: ($) => prec.dynamic(-1, seq("(", list($.pipeline), ")")),

    group: ($) => prec.right(seq("(", list($.pipeline), ")", repeat($.keyword), optional($.label))),
    repeat: ($) => seq("repeat", optional($.binders), $._expr, optional($.label), $.body),
    each: ($) => seq("each", optional($.binders), $._expr, optional($.label), $.body),
    scan: ($) => seq("scan", optional(seq("(", list($.state), ")")), repeat($.keyword), $.body),
    state: ($) => seq(field("name", $.identifier), "=", $.pipeline),
    binders: ($) => prec.dynamic(2, seq(choice($.identifier, $.name_pattern), "in")),
    name_pattern: ($) => seq("(", list(choice($.identifier, $.name_pattern)), ")"),
    when: ($) => prec.right(seq("if", $._expr, $.body, optional(seq("else", choice($.body, $.when))))),
    is: ($) => seq("is", $._plain),

    input: ($) => prec.right(seq("input", $._typed)),
    input_for: ($) => prec.right(seq("input", $._typed, $.for_clause)),
    input_where: ($) =>
      prec.right(seq("input", $._typed, optional($.for_clause), "where", $._expr, repeat(prec.dynamic(1, seq(",", $._expr))))),
    _typed: ($) => prec.right(seq($._plain, optional(alias($.identifier, $.dtype)), repeat($.keyword))),
    param: ($) => prec.right(seq("param", $._typed, optional($.label))),
    stored_table: ($) =>
      prec.right(
        seq(
          "table",
          choice($.identifier, $.number, $.dims, $.list),
          optional(alias($.identifier, $.dtype)),
          repeat($.keyword),
          optional($.label),
        ),
      ),
    table: ($) =>
      seq("table", "(", optionalList($.identifier), ")", $._plain, optional(alias($.identifier, $.dtype)), "=", $._expr, optional($.label)),

    _expr: ($) => choice($._or_test, $.conditional),
    // an `if` after it is not its own, but a condition of the comprehension that it is in
    _or_test: ($) => choice($._postfix, $.binary, $.unary),
    conditional: ($) => prec.right(EXPR.conditional, seq($._or_test, "if", $._or_test, "else", $._expr)),
    binary: ($) =>
      choice(
        prec.left(EXPR.or, seq($._or_test, "or", $._or_test)),
        prec.left(EXPR.and, seq($._or_test, "and", $._or_test)),
        prec.left(EXPR.compare, seq($._or_test, choice($.compare, "in", seq("not", "in")), $._or_test)),
        prec.left(EXPR.range, seq($._or_test, "..", $._or_test)),
        ...binary($, $._or_test, { left: (level, operator) => prec.left(level, seq($._or_test, operator, $._or_test)) }),
        prec.right(EXPR.power, seq($._or_test, "**", $._or_test)),
      ),
    unary: ($) =>
      choice(prec(EXPR.not, seq("not", $._or_test)), prec(EXPR.unary, seq("-", $._or_test)), prec(EXPR.unary, seq("+", $._or_test))),
    _postfix: ($) => choice($._plain, "in"),
    _plain: ($) =>
      choice(
        $.identifier, $.number, $.dims, $.string, $.true, $.false, $.list, $.comprehension, $.parenthesised, $.of_pipeline, $.stage_expr,
        $.call, $.attribute, $.index,
      ),
    parenthesised: ($) => seq("(", $._expr, ")"),
    stage_expr: ($) => seq("(", field("operator", $.identifier), $._lead, repeat($._argument), ")"),
    _lead: ($) => choice($._plain, $.keyword),
    call: ($) =>
      prec(
        EXPR.postfix,
        choice(
          seq(field("function", $.identifier), token.immediate("("), optionalList($._call_argument), ")"),
          seq("where", choice("(", token.immediate("(")), optionalList($._call_argument), ")"),
        ),
      ),
    // of a name it is written out: whether it is a value or the beginning of a pipeline is then known at its end
    attribute: ($) => prec(EXPR.postfix, seq(choice($.identifier, $._plain, "in"), ".", $._attribute)),
    // in a path of labels it may be a number: `layers.0.weight`
    _attribute: ($) => choice($.identifier, alias(token.immediate(/[0-9]+/), $.identifier)),
    index: ($) => prec(EXPR.postfix, seq($._plain, token.immediate("["), $._expr, "]")),
    list: ($) => seq("[", optionalList($._expr), "]"),
    comprehension: ($) => seq("[", $._expr, repeat1(choice($.for_clause, $.if_clause)), "]"),
    for_clause: ($) => prec.right(seq("for", $.binders, $._or_test)),
    if_clause: ($) => seq("if", $._or_test),

    label: ($) => token(prec(3, /as[ \t]+([A-Za-z0-9_.]|\{[^{}\n]*\})(-*([A-Za-z0-9_.]|\{[^{}\n]*\}))*/)),
    path: ($) => token(prec(-1, /[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*/)),
    compare: ($) => choice("==", "!=", "<", "<=", ">", ">="),
    identifier: ($) => /[A-Za-z_][A-Za-z0-9_]*/,
    dims: ($) => token(/[0-9]+(x([0-9]+|[A-Z][A-Z0-9_]*))+/),
    number: ($) => choice(token(/[0-9]+(_[0-9]+)*(\.[0-9]+(_[0-9]+)*)?([eE][+-]?[0-9]+)?/), $._no_number),
    // a word that begins like a number is none: what must follow it never does
    _no_number: ($) => seq(token(/[0-9][A-Za-z0-9_]*/), $._never),
    string: ($) => /"[^"\n]*"/,
    true: ($) => "true",
    false: ($) => "false",
    comment: ($) => token(/#[^\n]*/),
  },
});
