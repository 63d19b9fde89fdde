"""Mutation testing: small mistakes are put into the code one at a time, and the tests must notice.

`make mutants N=200` draws N places at random (`SEED=...` for other ones), and writes the mistakes that no test noticed to build/mutants.md.
"""
