"""Programs and tables as text and HTML, for the terminal, notebooks and the playground."""
