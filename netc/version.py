"""The version of netc, alone, so that what needs it imports nothing else."""

__version__ = "0.2.0"
