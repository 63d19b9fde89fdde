"""Reference pages: operators, words of the language, error codes, and the names that other libraries use."""
