"""How modules are called that give several results: what is unpacked, and what PyTorch is asked for."""

from __future__ import annotations

import netc


def test_states_are_unpacked_as_the_module_gives_them() -> None:
    assert "y, (h, _) = self.lstm1(x)" in netc.compile("(y, h) = input [T, 5] -> lstm 4; out y, h").source()
    assert "y, h = self.gru1(x)" in netc.compile("(y, h) = input [T, 5] -> gru 4; out y, h").source()
    assert "return self.rnn1(x)[0]" in netc.compile("input [T, 5] -> rnn 4").source()


def test_weights_of_attention_are_asked_for_where_they_are_taken() -> None:
    assert "need_weights=False" in netc.compile("input [T, 8] -> multihead_attention 2").source()
    both = netc.compile("(y, w) = input [T, 8] -> multihead_attention 2; out y, w")
    assert "y, w = self.multihead_attention1(" in both.source()
