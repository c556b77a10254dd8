"""The processes for whose sake the server runs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from diffusion.alive import is_alive
from lsp_server.parents import Parents
from tests.support.lsp_wire import WAIT_S

Child = subprocess.Popen[bytes]


@pytest.fixture
def child() -> Iterator[Child]:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def kill(child: Child) -> int:
    child.kill()
    child.wait()
    return child.pid


async def test_who_is_killed_is_missed(child: Child) -> None:
    parents = Parents(check_s=0.001)
    parents.add(os.getpid())
    parents.add(child.pid)
    waiting = asyncio.create_task(parents.gone())
    await asyncio.sleep(0)
    assert not waiting.done()
    kill(child)
    async with asyncio.timeout(WAIT_S):
        assert await waiting == child.pid


async def test_who_was_not_there_is_not_missed(child: Child) -> None:
    parents = Parents(check_s=0.001)
    for nobody in (None, kill(child), 0, -1, 2**40):
        parents.add(nobody)
    waiting = asyncio.create_task(parents.gone())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc tells of zombies")
def test_a_zombie_is_not_alive(child: Child) -> None:
    assert is_alive(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
