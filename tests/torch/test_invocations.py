"""How modules are called that give several results: what is unpacked, and what PyTorch is asked for."""

from __future__ import annotations

import netc


def test_states_are_unpacked_as_the_module_gives_them() -> None:
    assert "y, (h, _) = self.lstm1(input)" in netc.compile("(y, h) = input [T, 5] -> lstm 4; out y, h").source()
    assert "y, h = self.gru1(input)" in netc.compile("(y, h) = input [T, 5] -> gru 4; out y, h").source()
    assert "x, _ = self.rnn1(input)\n        return x" in netc.compile("input [T, 5] -> rnn 4").source()
    nested = netc.compile("input [T, 5] -> lstm 4 -> dense 3 relu").source()
    assert "x, _ = self.lstm1(input)\n        return F.relu(self.dense1(x))" in nested


def test_weights_of_attention_are_asked_for_where_they_are_taken() -> None:
    assert "need_weights=False" in netc.compile("input [T, 8] -> multihead_attention 2").source()
    both = netc.compile("(y, w) = input [T, 8] -> multihead_attention 2; out y, w")
    assert "y, w = self.multihead_attention1(" in both.source()
