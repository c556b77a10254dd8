"""pygls' protocol with its defects fixed, each named and tested (tests/unit/lsp_server).

What pygls 2.1 gets wrong for a server that computes for long, and what is done here:

- cancelling a request whose handler was started by another handler (commands, generators) leaves
  the inner one running: the inner future is tied to the outer one;
- futures of notifications and of inner handlers are never forgotten: they are, when done;
- `shutdown` with work in flight changes a dictionary while walking it: it walks a copy;
- an answer that arrives after `exit` is written to a closed stream and reported by writing to it
  again, for ever: nothing is sent after `exit`, and errors are logged only (`server`);
- the exit code is lost, and `exit` is a `SystemExit` in the middle of the loop: it is recorded,
  and the loop is told to stop;
- a request that cannot be read, or comes before `initialize` or after `shutdown`, is never
  answered: it gets the error the specification asks for;
- what is no message at all (no JSON, a list of messages) is never answered: it gets an error, too;
- a whole message is lost for one unknown value in a part that is not read: `lenient`;
- opened and changed documents are lost for less: they stay plain JSON (`features.changes`);
- whoever waits for a response that cannot be read waits for ever: the error ends the wait; a
  response that says `"error": null` is a result;
- a request that is refused (bad params, a changed document) is an error of the server's with two
  stacks in the log: it is one line;
- an unknown method is an error of the server's with a stack, and a cancel that crossed the answer a
  warning, and neither line names it: a request is one line with its method, the rest is silent;
- a progress token can never be used twice: it is forgotten at its end;
- documents are kept with `str.splitlines` and positions that fail at the end: pygls keeps no
  documents here, `document` and `convert` do.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.progress import Progress
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.protocol.json_rpc import JsonRPCNotification, JsonRPCResponseMessage

from lsp_server import lenient

if TYPE_CHECKING:
    from cattrs import Converter

    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)

ALTERNATIVES = "diffill/alternatives"
BRIDGE = "diffill/bridge"
CONFIDENCE = "diffill/confidence"
EXPLAIN_LAST = "diffill/explainLast"
FILL = "diffill/fill"
FROM_COMMENT = "diffill/fromComment"
MODEL_DELETE = "diffill/model/delete"
MODEL_LIST = "diffill/model/list"
MODEL_SELECT = "diffill/model/select"
REWRITE = "diffill/rewrite"
SCORE = "diffill/score"
STATUS = "diffill/status"
STATUS_DID_CHANGE = "diffill/statusDidChange"
TRAIN_PAUSE = "diffill/train/pause"
TRAIN_PLAN = "diffill/train/plan"
TRAIN_PROGRESS = "diffill/train/progress"
TRAIN_RESUME = "diffill/train/resume"
TRAIN_START = "diffill/train/start"
TRAIN_STATUS = "diffill/train/status"
TRAIN_STOP = "diffill/train/stop"

_TEXT_SYNC = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)
MessageId = int | str
AnyFuture = Future[Any] | asyncio.Future[Any]


@attrs.define
class OwnRequest:
    """A request of our own (`diffill/...`), or an unknown one: its params stay plain JSON."""

    id: int | str
    method: str
    jsonrpc: str = "2.0"
    params: Any = None


@attrs.define
class OwnNotification:
    """A notification that is read by hand: its params stay plain JSON."""

    method: str
    jsonrpc: str = "2.0"
    params: Any = None


_OWN_TYPES: dict[str, type[Any]] = dict.fromkeys(
    (ALTERNATIVES, BRIDGE, CONFIDENCE, EXPLAIN_LAST, FILL, FROM_COMMENT, REWRITE, SCORE, STATUS),
    OwnRequest,
)
_OWN_TYPES |= dict.fromkeys((MODEL_DELETE, MODEL_LIST, MODEL_SELECT), OwnRequest)
_OWN_TYPES |= dict.fromkeys(
    (TRAIN_PAUSE, TRAIN_PLAN, TRAIN_RESUME, TRAIN_START, TRAIN_STATUS, TRAIN_STOP), OwnRequest
)
_OWN_TYPES |= dict.fromkeys(
    (
        types.TEXT_DOCUMENT_DID_OPEN,
        types.TEXT_DOCUMENT_DID_CHANGE,
        types.NOTEBOOK_DOCUMENT_DID_OPEN,
        types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    ),
    OwnNotification,
)


class ForgetfulProgress(Progress):
    """Work-done progress whose tokens live from `create` to `end`."""

    def end(self, token: types.ProgressToken, value: types.WorkDoneProgressEnd) -> None:
        super().end(token, value)
        self.tokens.pop(token, None)


class DiffillProtocol(LanguageServerProtocol):
    """One client's connection."""

    _server: DiffillServer

    def __init__(self, server: Any, converter: Converter) -> None:
        super().__init__(server, converter)
        self.progress = ForgetfulProgress(self)
        self.exit_code: int | None = None
        for method in _TEXT_SYNC:
            self.fm.builtin_features.pop(method)

    @property
    def is_shut_down(self) -> bool:
        return self._shutdown

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        return _OWN_TYPES.get(method) or super().get_message_type(method)

    # Reading

    def handle_body(self, body: bytes) -> None:
        """Handle a message as it was read from a stream, whatever it is."""
        try:
            data = lenient.parsed(body)
        except (ValueError, RecursionError):
            self._refuse(None, JsonRpcParseError("a message is no JSON"))
            return
        try:
            self.handle_message(self._message(data))
        except Exception as error:
            # The border: one message must not take the server along.
            self._server._report_server_error(error, JsonRpcException)

    def _message(self, data: Any) -> Any:
        """The message that plain JSON is, None where it is answered already or is none."""
        fault = lenient.fault(data)
        is_object = isinstance(data, dict)
        if is_object and "method" not in data and ("result" in data or "error" in data):
            return self._response(data, fault)  # never answered, whatever it is
        if fault is not None:
            known = is_object and "method" in data and lenient.is_id(data.get("id"))
            self._refuse(data["id"] if known else None, JsonRpcInvalidRequest(fault))
            return None
        return self._response(data, None) if "method" not in data else self._call(data)

    def _call(self, data: dict[str, Any]) -> Any:
        """A request or a notification."""
        method = data["method"]
        if isinstance(data.get("id"), float):
            data["id"] = int(data["id"])
        known = self.get_message_type(method)
        kind = known or (OwnRequest if "id" in data else JsonRPCNotification)
        while True:
            lenient.mend(data)
            try:
                return self._converter.structure(data, kind)
            except Exception as error:  # a client may send anything, and cattrs raise anything
                paths = lenient.paths_of(error)
            if lenient.clamp(data):
                continue
            gone = lenient.prune(data, paths) if method == types.INITIALIZE else []
            if not gone:
                break
            logger.warning("left out of initialize: %s", lenient.named(gone))
        what = method if known else "a message of an unknown method"
        refusal = JsonRpcInvalidParams(f"{what}: cannot read {lenient.named(paths)}")
        logger.log(logging.WARNING if "id" in data else logging.ERROR, "%s", refusal.message)
        if "id" in data:
            self._refuse(data["id"], refusal)
        return None

    def _response(self, data: dict[str, Any], fault: str | None) -> Any:
        """A response to a request of ours; one that cannot be read ends the wait for it."""
        msg_id = str(data.get("id"))  # pygls' ids are strings
        result_type = self._result_types.pop(msg_id, None)
        kind: type[Any] = types.ResponseErrorMessage
        if data.get("error") is None:
            data.pop("error", None)
            data.setdefault("result", None)
            kind = result_type or JsonRPCResponseMessage
        try:
            if fault is not None or not lenient.is_id(data.get("id")):
                raise JsonRpcInvalidRequest(fault or "a response names no request")
            return self._converter.structure(data, kind)
        except Exception as error:  # as above
            problem = fault or lenient.named(lenient.paths_of(error))
            logger.warning("a response cannot be read: %s", problem)
            waiting = self._request_futures.pop(msg_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_exception(JsonRpcInvalidParams("the client's response cannot be read"))
            return None

    def _refuse(self, msg_id: MessageId | None, error: JsonRpcException) -> None:
        if msg_id is not None:
            self._send_response(msg_id, error=error.to_response_error())
            return
        logger.error("%s", error.message)
        problem = {"code": error.code, "message": error.message}
        self._send_data({"jsonrpc": self.VERSION, "id": None, "error": problem})

    def handle_message(self, message: Any) -> None:
        if message is None:
            return
        method, msg_id = getattr(message, "method", None), getattr(message, "id", None)
        refusal = None if method is None else self._refusal(method)
        if refusal is None:
            super().handle_message(message)
        elif msg_id is not None:
            self._refuse(msg_id, refusal)

    def _refusal(self, method: str) -> JsonRpcException | None:
        """The error for a message that must not be handled in this state of the connection."""
        if method == types.EXIT:
            return None
        if self._shutdown:
            return JsonRpcInvalidRequest("the server has been shut down")
        if method == types.INITIALIZE:
            again = self._workspace is not None
            return JsonRpcInvalidRequest("the server is initialized already") if again else None
        if self._workspace is None:
            return JsonRpcServerNotInitialized("send `initialize` first")
        return None

    # Running

    def _handle_request(self, msg_id: MessageId, method_name: str, params: Any) -> None:
        if self._is_served(method_name):
            super()._handle_request(msg_id, method_name, params)
            return
        logger.warning("a request of an unknown method was refused: %.80r", method_name)
        self._refuse(msg_id, JsonRpcMethodNotFound.of(method_name))

    def _handle_notification(self, method_name: str, params: Any) -> None:
        if method_name == types.CANCEL_REQUEST:
            if params.id in self._request_futures:  # else its answer crossed the cancel
                super()._handle_notification(method_name, params)
        elif self._is_served(method_name):
            super()._handle_notification(method_name, params)
        else:
            logger.debug("a notification of an unknown method is ignored: %.80r", method_name)

    def _is_served(self, method: str) -> bool:
        return method in self.fm.builtin_features or method in self.fm.features

    def _execute_handler(
        self,
        msg_id: MessageId,
        handler: Callable[..., Any],
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        def done(future: AnyFuture) -> None:
            self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, args, kwargs)

    def _send_handler_result(self, future: Future[Any], *, msg_id: MessageId) -> None:
        error = None if future.cancelled() else future.exception()
        if not isinstance(error, JsonRpcException) or isinstance(error, JsonRpcInternalError):
            super()._send_handler_result(future, msg_id=msg_id)
            return
        self._request_futures.pop(msg_id, None)
        logger.info("a request was refused: %s", type(error).__name__)  # its text may be the user's
        self._send_response(msg_id, error=error.to_response_error())

    def _run_generator(
        self,
        future: AnyFuture | None,
        *,
        gen: Generator[Any, Any, Any],
        result_future: Future[Any],
    ) -> None:
        """Go on with a generator handler: run what it yields, send it the result."""
        if result_future.cancelled() or (future is not None and future.cancelled()):
            gen.close()
            result_future.cancel()
            return
        try:
            if future is None:
                handler, args, kwargs = next(gen)
            elif (error := future.exception()) is not None:
                handler, args, kwargs = gen.throw(error)
            else:
                handler, args, kwargs = gen.send(future.result())
        except StopIteration as stop:
            result_future.set_result(stop.value)
            return
        except Exception as error:
            result_future.set_exception(error)
            return
        inner_id = str(uuid.uuid4())
        resume = partial(self._run_generator, gen=gen, result_future=result_future)
        self._execute_handler(inner_id, handler, resume, args, kwargs)
        inner = self._request_futures.get(inner_id)
        if inner is None:  # it was a plain function, and is done
            return

        def cancelled_by_client(outer: Future[Any]) -> None:
            if outer.cancelled():
                gen.close()  # now, not when the loop gets to the inner handler
                inner.cancel()

        result_future.add_done_callback(cancelled_by_client)

    # Beginning and ending

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        self._server.parents.add(params.process_id)
        return (yield from super().lsp_initialize(params))

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Generator[Any, Any, None]:
        if (user_handler := self.fm.features.get(types.SHUTDOWN)) is not None:
            yield user_handler, args, None
        current = self.msg_id
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != current and not future.done():
                future.cancel()
        self._shutdown = True

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]
        self.exit_code = 0 if self._shutdown else 1
        self._server.stop()

    # Writing

    def _send_data(self, data: Any) -> None:
        if self.exit_code is not None:
            return
        try:
            super()._send_data(data)
        except BrokenPipeError:
            logger.warning("the client closed its end; stopping")
            self.exit_code = 0 if self._shutdown else 1
            self._server.stop()
