"""What is found out once about a version of a document and then asked for again and again.

Invariants: made for one `Document`, which never changes; what nobody asks for is not looked for.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

from diffusion.text.parts import Span, find_markers
from lsp_server.document import Document


class Snapshot:
    """The facts of one version of a document."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @cached_property
    def digest(self) -> str:
        """What tells its text from others: version numbers come again, after a close say."""
        return hashlib.blake2b(self.document.data, digest_size=12).hexdigest()

    @cached_property
    def markers(self) -> tuple[Span, ...]:
        """Where holes are marked."""
        return tuple(find_markers(self.document.data))
