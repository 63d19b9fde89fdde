"""Errors for names that refer to nothing suitable, warnings for names that are never used, and the words of train sections.

This package reads only the text and the scopes; nothing here evaluates an expression.
"""
