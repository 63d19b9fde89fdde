"""The emitted source executed: modules with parameters. Only this part imports torch."""
