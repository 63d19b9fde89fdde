"""Long runs of damaged and random inputs: `make fuzz-weights N=100_000`, `make fuzz-text N=1_000_000`, `make fuzz-import N=10_000`,
`make fuzz-specs N=10_000`.

In: a number of inputs and a seed. Out: what is wrong, with the number of the input, on standard output; the inputs are in `build/fuzz/`.
Always: the seed and the number decide an input, so that `--first NUMBER --count 1` makes it again.
"""
