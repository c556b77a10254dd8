"""MessagePack-RPC with a Neovim over the pipes of its process: requests out, notifications in.

Invariants: every wait has a limit; the process and its pipes are gone after `close`.
"""

from __future__ import annotations

import select
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
LIMIT_S = 90.0


class NeovimError(Exception):
    """What Neovim answered instead of a result."""


class Rpc:
    """One `nvim --embed`."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            argv, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._unpacker = msgpack.Unpacker(strict_map_key=False, unicode_errors="surrogateescape")
        self._notifications: deque[tuple[str, list[Any]]] = deque()
        self._next = 0
        self.channel_id: int = self.request("nvim_get_api_info")[0]

    def request(self, method: str, *arguments: Any) -> Any:
        """Ask, and wait for the answer; notifications that come before it are kept."""
        self._next += 1
        number = self._next
        self._in.write(msgpack.packb([REQUEST, number, method, list(arguments)]))
        deadline = time.monotonic() + LIMIT_S
        while True:
            message = self._read(deadline)
            if message[0] == NOTIFICATION:
                self._notifications.append((message[1], message[2]))
            elif message[0] == RESPONSE and message[1] == number:
                if message[2] is not None:
                    raise NeovimError(f"{method}: {message[2][1]}")
                return message[3]

    def notification(self) -> tuple[str, list[Any]]:
        """The next notification: its name and its arguments."""
        deadline = time.monotonic() + LIMIT_S
        while not self._notifications:
            message = self._read(deadline)
            if message[0] == NOTIFICATION:
                self._notifications.append((message[1], message[2]))
        return self._notifications.popleft()

    def _read(self, deadline: float) -> Any:
        while True:
            for message in self._unpacker:
                return message
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._out], [], [], left)[0]:
                raise TimeoutError("Neovim said nothing")
            data = self._out.read(1 << 16)
            if not data:
                raise EOFError("Neovim has ended")
            self._unpacker.feed(data)

    def close(self) -> None:
        """End the process: by asking, then by force."""
        try:
            self._in.write(msgpack.packb([NOTIFICATION, "nvim_command", ["qall!"]]))
            self._process.wait(timeout=10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
        finally:
            self._in.close()
            self._out.close()
            self._process.wait()
