"""The language server, `netc lsp`: the language service by the Language Server Protocol, on standard input and output."""
