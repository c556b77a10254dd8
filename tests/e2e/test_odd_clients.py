"""The real server process with clients that break, die, or are none."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.support.lsp_process import ROOT, WAIT_S, Connection, Server, command, running, script

URI = "file:///work/a.py"
TEXT = "def add(a, b):\n    return \n"
ANSWER = {"before": "return ", "candidates": [{"text": "a + b", "score": 0.9}]}
INITIALIZE = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}
).encode()
WEB_PAGE = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b"


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def test_only_who_says_initialize_becomes_the_tcp_client(tmp_path: Path) -> None:
    engine = script(tmp_path, ANSWER)
    async with running(*command("--tcp", "--engine", engine)) as server:
        port = int((await server.error_line("listening on")).rpartition(":")[2])
        _, nobody = await connect(port)
        nobody.close()
        page = WEB_PAGE % (len(INITIALIZE), INITIALIZE)
        for data in (page, b"\x16\x03\x01\n", b"Content-Length: x\r\n\r\n"):
            reader, writer = await connect(port)
            writer.write(data)
            assert await reader.read() == b""
            writer.close()
        waiting = Connection(*await connect(port))
        refused = await waiting.response(waiting.request("diffill/status"))
        assert refused["error"]["code"] == -32002
        leaving = Connection(*await connect(port))
        leaving.notify("exit")
        assert await leaving.rest() == []
        leaving.close()
        client = Connection(*await connect(port))
        await client.initialize()
        client.open(URI, TEXT)
        assert await client.inline(URI, 1, 11) == ["    return a + b"]
        waiting.request("initialize", {"capabilities": {}})
        assert await waiting.rest() == []
        waiting.close()
        idle = Connection(*await connect(port))
        await client.ask("shutdown")
        client.notify("exit")
        await client.rest()
        assert await server.ended() == 0
        for one in (client, idle):
            one.close()
        assert "Traceback" not in await server.errors()


@pytest.mark.parametrize("data", [b"Content-Type: x\r\n\r\n", b'{"jsonrpc": "2.0", "id": 1}\n'])
async def test_a_stream_that_cannot_be_read_ends_the_server_with_a_message(data: bytes) -> None:
    async with running(*command()) as server:
        await server.initialize()
        server._writer.write(data)
        await server.rest()
        assert await server.ended() == 2
        errors = await server.errors()
    assert "send `Content-Length: N`" in errors and "Traceback" not in errors


async def test_headers_of_another_spelling_are_read() -> None:
    async with running(*command()) as server:
        await server.initialize()
        body = b'{"jsonrpc": "2.0", "id": "odd", "method": "diffill/status"}'
        server._writer.write(b"content-length:%d \n\n%b\r\n" % (len(body), body))
        assert (await server.until(id="odd"))["result"]["kind"]
        assert await server.stop() == 0


@pytest.fixture
def editor() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is there until it is killed."""
    line = [sys.executable, "-c", "input()"]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


async def dies_with(server: Server, editor: subprocess.Popen[bytes]) -> None:
    editor.kill()
    editor.wait()
    assert await server.ended() == 1
    errors = await server.errors()
    assert f"process {editor.pid}, the client, is gone" in errors and "Traceback" not in errors


@pytest.mark.parametrize("named", ["option", "initialize"])
async def test_the_server_ends_with_its_client_though_stdin_stays_open(
    editor: subprocess.Popen[bytes], named: str
) -> None:
    options = ("--clientProcessId", str(editor.pid)) if named == "option" else ()
    async with running(*command(*options)) as server:
        pid = editor.pid if named == "initialize" else None
        await server.ask("initialize", {"processId": pid, "capabilities": {}})
        await dies_with(server, editor)


@pytest.mark.parametrize(
    "named", ["option", pytest.param("initialize", marks=pytest.mark.slow)]
)
async def test_the_server_ends_with_its_client_though_the_connection_stays_open(
    editor: subprocess.Popen[bytes], named: str, tmp_path: Path
) -> None:
    options = ("--clientProcessId", str(editor.pid)) if named == "option" else ()
    line = command("--tcp", "--engine", script(tmp_path, ANSWER), *options)
    async with running(*line) as server:
        port = int((await server.error_line("listening on")).rpartition(":")[2])
        client = Connection(*await connect(port))
        pid = editor.pid if named == "initialize" else None
        await client.ask("initialize", {"processId": pid, "capabilities": {}})
        await dies_with(server, editor)
        client.close()


@pytest.mark.parametrize(
    "ending", [pytest.param("client", marks=pytest.mark.slow), "stdin", "ctrl-c"]
)
def test_a_client_that_does_not_read_cannot_keep_the_server(
    editor: subprocess.Popen[bytes], ending: str, tmp_path: Path
) -> None:
    """The server has said more than a pipe holds, and still hears what ends it."""
    if ending == "ctrl-c" and os.name == "nt":
        pytest.skip("no SIGINT for one process there")

    def say(message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    line, pipe = command("--engine", script(tmp_path, ANSWER)), subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT) as server:
        assert server.stdin is not None and server.stderr is not None
        stdin = server.stdin
        params = {"processId": editor.pid, "capabilities": {}}
        say({"id": 1, "method": "initialize", "params": params})
        for number in range(2, 400):
            say({"id": number, "method": "diffill/status"})
        say({"id": 400, "method": "the/last"})
        stdin.flush()
        most = Timer(WAIT_S, server.kill)
        most.start()
        try:
            assert any(b"the/last" in row for row in server.stderr)
            if ending == "client":
                editor.kill()
                editor.wait()
            elif ending == "stdin":
                stdin.close()
            else:
                server.send_signal(signal.SIGINT)
            assert server.wait(WAIT_S) == (130 if ending == "ctrl-c" else 1)
            assert b"Traceback" not in server.stderr.read()
        finally:
            most.cancel()
            server.kill()


async def test_a_client_that_closes_its_end_ends_the_server() -> None:
    async with running(*command()) as server:
        await server.initialize()
        server._reader._transport.close()  # type: ignore[attr-defined]
        server.request("diffill/status")
        assert await server.ended() == 1
        assert "the client closed its end; stopping" in await server.errors()


def run_with(redirection: str, tmp_path: Path) -> subprocess.CompletedProcess[bytes]:
    """A server whose client says nothing, with a standard stream as the shell leaves it."""
    line = command("--engine", script(tmp_path, ANSWER))
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *line],
        check=False, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S,
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="no descriptors to close there")
@pytest.mark.parametrize(
    ("redirection", "code", "says"),
    [
        ("<&-", 2, "diffill: stdin is closed; start the server from an editor"),
        (">&-", 2, "diffill: stdout is closed; start the server from an editor"),
        ("<&- >&-", 2, "diffill: stdin is closed; start the server from an editor"),
        ("</dev/null", 1, "stdin ended before `initialize`; start the server from an editor"),
    ],
)
def test_a_start_without_a_client_says_what_is_missing(
    redirection: str, code: int, says: str, tmp_path: Path
) -> None:
    done = run_with(redirection, tmp_path)
    errors = done.stderr.decode()
    assert (done.returncode, done.stdout) == (code, b"")
    assert says in errors and "Traceback" not in errors


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only /proc tells of descriptors")
async def test_a_closed_stderr_is_not_taken_by_the_client(tmp_path: Path) -> None:
    line = command("--engine", script(tmp_path, ANSWER))
    async with running("sh", "-c", 'exec "$@" 2>&-', "sh", *line) as server:
        await server.initialize()
        for number in range(3):
            assert os.readlink(f"/proc/{server.process.pid}/fd/{number}") == os.devnull
        server.open(URI, TEXT)
        assert await server.inline(URI, 1, 11) == ["    return a + b"]
        assert await server.stop() == 0


async def test_a_client_that_was_never_seen_is_not_missed(
    editor: subprocess.Popen[bytes],
) -> None:
    editor.kill()
    editor.wait()
    async with running(*command("--clientProcessId", str(editor.pid))) as server:
        await server.ask("initialize", {"processId": editor.pid, "capabilities": {}})
        assert await server.stop() == 0


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process there")
async def test_ctrl_c_ends_the_server_though_stdin_stays_open() -> None:
    async with running(*command()) as server:
        await server.initialize()
        server.process.send_signal(signal.SIGINT)
        assert await server.ended() == 130
        assert "Traceback" not in await server.errors()
