"""The typed graph, as plain data: types, nodes, and what always holds of them."""
