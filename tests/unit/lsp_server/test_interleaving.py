"""Requests, edits, cancels, settings and shutdown at random, against a model of the documents.

A hypothesis state machine plays the client; the engine is scripted and takes a step when it is
told to, so that edits and cancels come before, between and after steps. Nothing sleeps: the event
loop runs only inside a rule, and what was written before a message is read before it is sent.

What must hold: every request is answered exactly once; the server's documents are the client's;
what is offered is for the text as it is when the answer is written, and applying it puts exactly
the scripted text at the cursor; a cancelled request is an error; nothing is offered where it is
switched off; a draft comes before its request's answer only, and for the text as it is; after
shutdown everything is refused; no error is logged and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lsprotocol import types

from lsp_server.document import to_bytes
from lsp_server.engine.scripted import ScriptedEngine, ScriptedFiller
from tests.support import lsp_model as model
from tests.support import lsp_reference as reference
from tests.support.lsp_model import FILL, OTHER, SECRET, URIS, Asked, Open, rarely, texts
from tests.support.lsp_texts import normal
from tests.support.lsp_wire import WAIT_S, Wire, answer

Result = TypeVar("Result")


class Client(RuleBasedStateMachine):
    """What a client may do, in any order."""

    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.errors = model.Errors()
        logging.getLogger().addHandler(self.errors)
        self.documents: dict[str, Open] = {}
        self.pending: dict[int, Asked] = {}
        self.answered: set[int] = set()
        self.read = 0
        self.versions = 0
        self.enabled, self.on, self.marking = True, True, False
        self.shut_down = False

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    @initialize(pulls=st.booleans(), completion=st.booleans())
    def start(self, pulls: bool, completion: bool) -> None:
        script = (answer(FILL, OTHER, steps=2),)
        filler = ScriptedFiller(script, gated=True, suspects={"bad": "good"})
        self.engine = ScriptedEngine(filler)
        self.wire = Wire(self.engine)
        self.wire.server.session.idle_s = self.wire.server.session.draft_interval_s = 0
        message = self.wire.message

        async def on_the_loop(raw: dict[str, Any]) -> None:
            self.collect()  # what was written before this message
            message(raw)

        def send(raw: dict[str, Any]) -> None:
            self.run(on_the_loop(raw))

        filler.on_event = lambda event: self.loop.call_soon_threadsafe(self.wire._changed.set)
        inline: dict[str, Any] = {} if completion else {"inlineCompletion": {}}
        if pulls:
            inline["diagnostic"] = {}
        self.run(self.wire.initialize({"textDocument": inline}))
        self.read = len(self.wire.sent)
        self.wire.message = send  # type: ignore[method-assign]
        for uri in URIS:
            self.open(uri, "x = f(b)\ny = \n")

    # Documents

    @rule(uri=st.sampled_from(URIS), text=texts)
    def open(self, uri: str, text: str) -> None:
        if uri in self.documents:
            return
        self.versions += 1
        self.wire.open(text, uri=uri, version=self.versions)
        if not self.shut_down:
            self.documents[uri] = Open(text, self.versions)

    @rule(uri=st.sampled_from(URIS), sure=rarely)
    def close(self, uri: str, sure: bool) -> None:
        if not sure:
            return
        self.wire.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        if not self.shut_down:
            self.documents.pop(uri, None)

    @rule(uri=st.sampled_from(URIS), places=st.tuples(st.integers(0, 40), st.integers(0, 40)),
          text=texts)  # fmt: skip
    def edit(self, uri: str, places: tuple[int, int], text: str) -> None:
        """Replace a range; for a document that is not open: nothing may happen."""
        known = self.documents.get(uri)
        before = known.text if known else ""
        start, end = sorted(self.place(before, at) for at in places)
        where = types.Range(*(reference.position_of(before, i, "utf-16") for i in (start, end)))
        self.change(uri, {"range": model.raw_range(where), "text": text})
        if known is not None and not self.shut_down:
            known.text = normal(reference.apply(before, where, text, "utf-16"))

    @rule(uri=st.sampled_from(URIS), at=st.integers(0, 40), characters=st.integers(1, 5))
    def type_along(self, uri: str, at: int, characters: int) -> None:
        """Type a beginning of what the engine offers, as when it is accepted word by word."""
        known = self.documents.get(uri)
        if known is not None:
            index = self.place(known.text, at)
            where = reference.position_of(known.text, index, "utf-16")
            nothing = types.Range(where, where)
            self.change(uri, {"range": model.raw_range(nothing), "text": FILL[:characters]})
            if not self.shut_down:
                known.text = known.text[:index] + FILL[:characters] + known.text[index:]

    @rule(uri=st.sampled_from(URIS), text=texts)
    def replace(self, uri: str, text: str) -> None:
        self.change(uri, {"text": text})
        if uri in self.documents and not self.shut_down:
            self.documents[uri].text = text

    def change(self, uri: str, change: dict[str, Any]) -> None:
        self.versions += 1
        document = {"uri": uri, "version": self.versions}
        self.wire.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )
        if uri in self.documents and not self.shut_down:
            self.documents[uri].version = self.versions

    def place(self, text: str, at: int) -> int:
        """An index that is a position: not between the two halves of a line end."""
        index = min(at, len(text))
        return index - 1 if text[index - 1 : index + 1] == "\r\n" else index

    # Requests

    @rule(
        target=sent,
        uri=st.sampled_from(URIS),
        at=st.integers(0, 40),
        automatic=st.booleans(),
        then=st.sampled_from(("nothing", "edit", "cancel", "settle", "ask again")),
    )
    def ask_inline(self, uri: str, at: int, automatic: bool, then: str) -> int:
        msg_id = self.ask_once(uri, at, automatic)
        if then == "settle":
            self.settle()
        elif then == "edit":
            self.type_along(uri, at, 2)
        elif then == "cancel":
            self.cancel(msg_id)
        elif then == "ask again":
            self.ask_once(uri, at, automatic)
        return msg_id

    def ask_once(self, uri: str, at: int, automatic: bool) -> int:
        text = self.documents[uri].text if uri in self.documents else ""
        index = self.place(text, at)
        position = reference.position_of(text, index, "utf-16")
        msg_id = self.wire.ask_inline(
            position.line, position.character, uri=uri, automatic=automatic
        )
        return self.note(msg_id, "textDocument/inlineCompletion", uri, index)

    @rule(
        target=sent,
        uri=st.sampled_from(URIS),
        method=st.sampled_from(
            ("diffill/score", "diffill/rewrite", "diffill/bridge", "textDocument/hover",
             "textDocument/diagnostic")
        ),
    )
    def ask(self, uri: str, method: str) -> int:
        zero = {"line": 0, "character": 0}
        params = {"textDocument": {"uri": uri}, "position": zero,
                  "range": {"start": zero, "end": zero},
                  "partialResultToken": self.wire._next + 1}  # fmt: skip
        return self.note(self.wire.request(method, params), method, uri)

    @rule(method=st.sampled_from(("diffill/status", "diffill/explainLast", "test/unknown")))
    def ask_state(self, method: str) -> None:
        self.note(self.wire.request(method, {}), method)

    def note(self, msg_id: int, method: str, uri: str = "", index: int = 0) -> int:
        known = self.documents.get(uri)
        silent = not (self.enabled and self.on) or uri == SECRET
        version = known.version if known else -1
        self.pending[msg_id] = Asked(
            method, uri, version, index, silent=silent, refused=self.shut_down
        )
        return msg_id

    @rule(msg_id=sent)
    def cancel(self, msg_id: int) -> None:
        self.wire.cancel(msg_id)
        if msg_id in self.pending:
            self.pending[msg_id].cancelled = True

    # Settings and commands

    @rule(
        enable=st.sampled_from((True, True, True, False)),
        diagnostics=st.booleans(),
        multiline=st.sampled_from(("auto", "never", "sometimes")),
        threads=st.sampled_from((1, 2, "many")),
    )
    def configure(self, enable: bool, diagnostics: bool, multiline: str, threads: Any) -> None:
        self.wire.notify(
            "workspace/didChangeConfiguration",
            {"settings": {"diffill": {
                "enable": enable,
                "diagnostics": {"enable": diagnostics},
                "inline": {"multiline": multiline, "disabledIn": [], "minConfidence": 0},
                "performance": {"threads": threads, "encodeAhead": False},
            }}},
        )  # fmt: skip
        if not self.shut_down:
            self.enabled, self.marking = enable, diagnostics
            self.heard()

    @rule(sure=rarely)
    def toggle(self, sure: bool) -> None:
        if not sure and self.on:
            return
        command = {"command": "diffill.toggle", "arguments": []}
        self.note(self.wire.request("workspace/executeCommand", command), "toggle")
        if not self.shut_down:
            self.on = not self.on
            self.heard()

    def heard(self) -> None:
        """A request that was switched on in between may be answered."""
        if self.enabled and self.on:
            for asked in self.pending.values():
                asked.silent = asked.uri == SECRET

    # Time

    @rule(steps=st.integers(1, 3))
    def engine_steps(self, steps: int) -> None:
        self.engine.filler.release(steps)
        self.turn()

    @rule()
    def turn(self) -> None:
        """A few turns of the event loop."""

        async def turns() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.run(turns())
        self.collect()

    @rule()
    def settle(self) -> None:
        """Until everything is answered."""
        self.run(self.drained())

    async def drained(self) -> None:
        permits: Any = self.engine.filler._permits
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    self.wire._changed.clear()
                    self.collect()
                    if not self.pending:
                        return
                    if permits._value == 0:
                        self.engine.filler.release(1)
                    await self.wire._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never answered: {self.pending}") from None

    @precondition(lambda self: not self.shut_down)
    @rule(sure=rarely)
    def shut(self, sure: bool) -> None:
        if sure:  # else most runs would be over at once
            msg_id = self.wire.request("shutdown")
            self.note(msg_id, "shutdown")
            self.shut_down = True
            for asked in self.pending.values():
                asked.silent = True

    # What must hold

    @invariant()
    def documents_agree(self) -> None:
        if not hasattr(self, "wire"):
            return
        server = self.wire.server.session.documents
        assert {u: (d.data, d.version) for u, d in server.items()} == {
            u: (to_bytes(d.text), d.version) for u, d in self.documents.items()
        }

    def collect(self) -> None:
        """Read what the server wrote since the last time."""
        messages, self.read = self.wire.sent[self.read :], len(self.wire.sent)
        for message in messages:
            if message.get("method") == "$/progress":
                asked = self.pending.get(message["params"]["token"])
                model.check_draft(asked, asked and self.documents.get(asked.uri))
            if "method" in message:
                continue
            msg_id = message["id"]
            assert msg_id not in self.answered, f"answered twice: {message}"
            self.answered.add(msg_id)
            self.check(self.pending.pop(msg_id), message)

    def check(self, asked: Asked, message: dict[str, Any]) -> None:
        error = message.get("error", {}).get("code")
        if asked.refused:
            assert error == -32600
        elif asked.method == "test/unknown":
            assert error == -32601
        elif asked.cancelled:
            assert error in (-32800, -32602, -32802), message
        elif error is not None:
            known = (-32800,) if self.shut_down else ()
            known += (-32602,) if asked.method.startswith("diffill/") else ()
            known += (-32802,) if asked.method == "textDocument/diagnostic" else ()
            assert error in known, message
        elif asked.method == "textDocument/inlineCompletion":
            model.check_items(asked, self.documents.get(asked.uri), message["result"]["items"])
        elif asked.method == "diffill/score" and asked.uri == SECRET:
            assert message["result"]["words"] == []
        elif asked.method == "textDocument/diagnostic" and asked.uri == SECRET:
            assert message["result"]["items"] == []

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        try:
            self.run(self.drained())
            if not self.shut_down:
                self.note(self.wire.request("shutdown"), "shutdown")
                self.run(self.drained())
            self.wire.notify("exit")
            assert self.wire.server.protocol.exit_code == 0
            self.engine.filler.release(1000)
            assert self.engine.join(WAIT_S)
            self.run(self.leftovers())
            assert len(self.wire.server.session.flights) == 0
            assert self.errors.records == [], self.errors.records
        finally:
            self.engine.filler.release(1000)
            self.wire.server.session.close()
            logging.getLogger().removeHandler(self.errors)
            self.loop.close()

    async def leftovers(self) -> None:
        """All that still waits for the loop comes to its end."""
        async with asyncio.timeout(WAIT_S):
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)


CHECKS = (HealthCheck.too_slow, HealthCheck.filter_too_much)


@pytest.mark.parametrize(
    ("examples", "steps"), [(8, 20), pytest.param(100, 50, marks=pytest.mark.slow)]
)
def test_any_order_of_messages(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Client,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=CHECKS,
        ),
    )
