"""How emitted source initializes parameters, and freezes them."""

from __future__ import annotations

import torch
from zoo.drawn import drawn, of_module, same_distribution

import netc
from netc.compiler.weights.initial import draw_initial_values


def constructor(text: str) -> str:
    """The lines of all constructors that draw or freeze, without their indentation to the first of them."""
    lines = [line[8:] for line in netc.compile(text).source().splitlines()]
    words = ("nn.init", "modules()", "isinstance", "for layer in self.heads:", "is not None:")
    return "\n".join(line for line in lines if any(word in line for word in words))


def test_statements() -> None:
    found = constructor("input 3 -> dense 4 init=trunc_normal(0.02) bias_init=zeros as first -> dense 5 as second")
    assert found == "nn.init.trunc_normal_(self.first.weight, std=0.02)\nnn.init.zeros_(self.first.bias)"


def test_all_modules_of_a_class() -> None:
    text = "default dense init=normal(0.02) bias_init=zeros\ninput 3 -> dense 4 -> relu -> repeat 2 { dense 4 bias=false -> dense 4 }"
    assert constructor(text).splitlines() == [
        "for module in self.modules():",
        "    if isinstance(module, nn.Linear):",
        "        nn.init.normal_(module.weight, std=0.02)",
        "        if module.bias is not None:",
        "            nn.init.zeros_(module.bias)",
    ]


def test_classes_that_are_drawn_alike() -> None:
    """Also where some modules of one class have no bias, and all of the other have one."""
    text = (
        "default dense init=normal(0.02) bias_init=zeros\ndefault conv init=normal(0.02) bias_init=zeros\n"
        "input 3x9 -> conv 3 1 -> conv 3 1 -> dense 4 -> dense 4 -> dense 4 bias=false"
    )
    assert constructor(text).splitlines() == [
        "for module in self.modules():",
        "    if isinstance(module, (nn.Conv1d, nn.Linear)):",
        "        nn.init.normal_(module.weight, std=0.02)",
        "        if module.bias is not None:",
        "            nn.init.zeros_(module.bias)",
    ]
    module = netc.compile(text).module()
    assert not any(p.any() for name, p in module.named_parameters() if name.endswith("bias"))


def test_modules_in_others() -> None:
    """In a sequence by position or key, in a list one by one, in a dictionary, where a member may be absent, and in a class of its own."""
    assert constructor("input 4 -> (dense 4 init=ones -> relu -> dense 3) as net") == "nn.init.ones_(self.net[0].weight)"
    assert constructor("input 4 -> (dense 4 init=ones as a -> dense 3) as net") == "nn.init.ones_(self.net.a.weight)"
    listed = constructor("x = input 4; x -> each i in 3 as heads { dense 4 init=ones } -> concat axis=1 -> dense 3")
    assert listed == "for layer in self.heads:\n    nn.init.ones_(layer.weight)"
    keyed = "input 4 -> dense 3 as 0 -> (dense 3 -> relu) as net -> dense 3 init=ones as 1"
    assert constructor(keyed) == 'nn.init.ones_(self["1"].weight)'
    optional = "block b(k) { in -> if k > 1 { dense 4 init=ones as up } -> dense in.features as own -> relu }\ninput 4 -> b 1 -> b 2"
    assert "        if k > 1:\n            nn.init.ones_(self.up.weight)\n" in netc.compile(optional).source()
    repeated = "input 4 -> repeat 5 as layers { in + (dense 4 init=ones -> layer_norm) } -> dense 4"
    assert constructor(repeated) == "nn.init.ones_(self[0].weight)"


BRANCHES = """
block stack(deep, width) {
  in -> (
    if deep { dense width init=ones -> relu }
      -> dense width init=trunc_normal(0.02)
      -> if not deep { repeat 5 as _ { dense width init=0.5 } -> relu }
      -> dense width init=zeros
  ) as body
}
block two(a) {
  x = in -> dense 8 as own
  y = x -> if a { dense 8 init=ones as p -> layer_norm } else { dense 8 init=zeros as q }
  y -> relu
}
input 8 -> stack true 8 -> stack false 8 -> two true -> two false
"""


def test_members_that_depend_on_a_condition() -> None:
    model = netc.compile(BRANCHES)
    arrays = draw_initial_values(model.parameters, 1)
    torch.manual_seed(1)
    found = of_module(model.module())
    same_distribution({name: drawn(arrays[name]) for name in found}, found)
    assert "            self.p = nn.Linear(8, 8)\n            nn.init.ones_(self.p.weight)\n" in model.source()
    assert "        nn.init.trunc_normal_(layers[-1].weight, std=0.02)\n" in model.source()


def test_one_that_differs_excludes_a_rule() -> None:
    found = constructor("input 3 -> dense 4 init=zeros as a -> dense 4 init=zeros as b -> dense 4 as c")
    assert found == "nn.init.zeros_(self.a.weight)\nnn.init.zeros_(self.b.weight)"


def test_attention_has_a_linear_layer_inside() -> None:
    text = "input [T, 4] -> dense 4 init=zeros as a -> multihead_attention 2 as m -> dense 4 init=zeros as b"
    assert constructor(text) == "nn.init.zeros_(self.a.weight)\nnn.init.zeros_(self.b.weight)"
    assert "isinstance(module, nn.Linear)" in constructor(text.replace("attention 2", "attention 2 init=zeros"))


def test_ties() -> None:
    """A tied weight has the values of the stage that it belongs to: no rule draws it once more."""
    inside = "block f { (in -> embedding 9 4 padding_idx=1 init=ones as emb) -> dense 9 bias=false tie=emb as head }\n"
    model = netc.compile(inside + "input [T] int64 -> f as f -> dense 4 init=zeros -> dense 3 init=zeros")
    module = model.module()
    assert module.f.head.weight is module.f.emb.weight
    assert module.f.emb.weight.sum() == 32
    assert not module.dense1.weight.any()
    assert not module.dense2.weight.any()


FROZEN = """
block tail { in + (dense in.features as own) }
x = input 3x8x8
h = x -> (conv 4 3x3 -> batch_norm relu) trainable=false as features -> global_avg_pool -> tail trainable=false as tail
p = (param [4] init=ones as p) trainable=false
h * p -> dense 10 trainable=false as a -> repeat i in 0..3 as layers { dense 5 trainable=(i == 2) -> relu } -> dense 2 as b
"""


def test_frozen() -> None:
    model = netc.compile(FROZEN)
    trained = {name for name, parameter in model.module().named_parameters() if parameter.requires_grad}
    assert trained == {"layers.2.0.weight", "layers.2.0.bias", "b.weight", "b.bias"}
    assert trained == {name for name, info in model.parameters.items() if info.trainable and not info.frozen}
    totals = model.summary().totals
    assert totals.trainable == sum(model.parameters[name].numel for name in trained) < totals.parameters
    assert "self.tail = Tail(4).requires_grad_(False)" in model.source() or "self.tail = Tail().requires_grad_(False)" in model.source()
    assert "self.p = nn.Parameter(torch.ones(4), requires_grad=False)" in model.source()


def test_nothing_is_drawn_that_the_module_draws_itself() -> None:
    assert "nn.init" not in netc.compile("input 3 -> prelu init=0.3").source()


def test_a_row_of_zeros_among_zeros_is_no_statement_of_its_own() -> None:
    assert netc.compile("input [T] int64 -> embedding 5 4 init=zeros padding_idx=0").source().count("nn.init.zeros_") == 1


def test_layers_of_a_recurrent_module_have_no_rule() -> None:
    """It would be one for each of the numbered parameters, of modules that may have fewer."""
    model = netc.compile("input [T, 5] -> lstm 4 layers=2 init=normal(0.1) -> lstm 4 init=normal(0.1)")
    assert "isinstance" not in model.source()
    assert all(0.02 < p.std() < 0.5 for n, p in model.module().named_parameters() if "weight" in n)
