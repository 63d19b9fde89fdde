"""The language server, `netc lsp`: offers the language service by the Language Server Protocol, on standard input and output.

serve.py            runs the server
server.py           the open documents, and the diagnostics that are published for them
features.py         requests about whole documents: hints, outlines, formatting, colors
questions.py        requests about positions: hover, completion, navigation, code actions
convert.py, lsp_positions.py    from spans and offsets to the protocol's ranges and positions
protocol.py         answers to requests that pygls leaves without one
"""
