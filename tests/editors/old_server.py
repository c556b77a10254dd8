"""A language server of an older time: it has a version and nothing of our own methods.

What a new extension says to it is what the tests look at.
"""

from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("diffill", "0.0.9")


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
def nothing(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    return types.InlineCompletionList([])


if __name__ == "__main__":
    server.start_io()
