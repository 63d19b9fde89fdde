"""`python -m netc`: the command line."""

from netc.cli import main

main()
