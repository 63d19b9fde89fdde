"""How each operator is computed piece by piece: a table, keyed by the operator's class."""
