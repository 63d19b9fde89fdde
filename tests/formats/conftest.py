"""The command line in a temporary folder, as the tests of commands call it."""

from tests.cli.conftest import folder, netc

__all__ = ["folder", "netc"]
