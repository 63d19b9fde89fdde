"""All errors and warnings: one frozen record (`Problem`) for each, one file for each topic.

A record has the facts as fields, and methods that put them into words. The rule that finds a mistake raises or reports the record, the
reporter adds the place in the text, and `netc.dsl.diagnostics` renders both. Each code has a page in docs/errors, and golden texts in
tests/errors.

    >>> from .binding_errors import BoundTwice
    >>> problem = BoundTwice("x")
    >>> problem.code, problem.format_message(), problem.format_help()
    ('bound-twice', '`x` is defined twice', ('use a different name for the second one',))
"""
