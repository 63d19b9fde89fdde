"""The formats that a vendor's converter writes, each judged in the vendor's own runtime: `make formats`.

The converters and netc's other packages need not fit in one environment, so each has its own.
"""
