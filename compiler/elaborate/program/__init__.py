"""Turns a parsed file into a program: the scope of each file, the selected model, its parameters, dimensions and expectations."""
