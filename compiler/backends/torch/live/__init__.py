"""Executes the emitted source and fills its modules with parameters. Only this part imports torch."""
