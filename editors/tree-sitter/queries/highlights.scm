; What each part of a text is, for colors.
(comment) @comment
(string) @string
(number) @number
(dims) @number
[(true) (false)] @boolean
(dtype) @type
(label) @label
(path) @label

; a name alone at the beginning of a pipeline is a tensor
(pipeline (_) (apply operator: (identifier) @function))
(apply operator: (identifier) @function . (_))
(shared (apply operator: (identifier) @function))
(stage_expr operator: (identifier) @function)
(call function: (identifier) @function)
(keyword name: (identifier) @property)
(parameter name: (identifier) @variable.parameter)
(tensor_parameter name: (identifier) @variable.parameter)
(assign name: (identifier) @variable)
(block name: (identifier) @type)
(model name: (identifier) @type)
(derived_model name: (identifier) @type)
(train name: (identifier) @type)
(derived_train name: (identifier) @type)
(function name: (identifier) @function)

[
  "use" "fn" "block" "model" "train" "let" "out" "expect" "shared" "default" "metric" "input" "param" "table" "repeat" "each" "scan"
  "for" "if" "else" "is" "in" "where"
] @keyword
["and" "or" "not"] @keyword.operator
["->" "=" "+" "-" "*" "/" "//" "%" "@" "**" ".." "..." "?"] @operator
(compare) @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" ";" "."] @punctuation.delimiter
