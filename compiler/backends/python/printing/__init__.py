"""Turns code into text: prints it, and lays it out in lines of at most 119 columns."""
