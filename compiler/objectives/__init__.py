"""Training objectives as totals and counts: means.py splits a loss, and `proofs` says which stage mixes samples or counts them."""
