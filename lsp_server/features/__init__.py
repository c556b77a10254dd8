"""One file per LSP concern; each has `register(server)`. Handlers convert, call, convert.

`requests` is the common path of inlineCompletion and completion.
"""
