"""From a parsed file to a program: the scope of each file, the selected model, its parameters, dimensions and expectations."""
