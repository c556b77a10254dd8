"""A capability that a client is told of, and told that it is gone, as the settings change.

For clients with `dynamicRegistration` for it. Invariant: nothing waits for the client, which gets
the messages in the order of the settings; one that refuses is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lsprotocol import types

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)


class Told:
    """What a client that was told nothing of a method at its start has been told since.

    `name` completes the id of the registration; `wanted` says what the settings want now.
    """

    def __init__(
        self, server: DiffillServer, name: str, method: str, options: Any,
        wanted: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._server, self._id = server, f"diffill-{name}"
        self._method, self._options, self._wanted = method, options, wanted
        self._registered = False

    def settings_changed(self) -> None:
        """Tell the client if that makes a difference to it."""
        server, wanted = self._server, self._wanted()
        if wanted == self._registered or server.protocol.is_shut_down:
            return
        self._registered = wanted
        if wanted:
            one = types.Registration(self._id, self._method, self._options)
            sent = server.client_register_capability(types.RegistrationParams([one]))
        else:
            gone = types.Unregistration(self._id, self._method)
            sent = server.client_unregister_capability(types.UnregistrationParams([gone]))
        sent.add_done_callback(self._log_refusal)

    def _log_refusal(self, sent: Future[Any]) -> None:
        if not sent.cancelled() and (error := sent.exception()) is not None:
            logger.warning(
                "the client did not register %s: %s",
                self._id.removeprefix("diffill-"), type(error).__name__,
            )  # fmt: skip
