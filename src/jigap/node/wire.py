"""JSON-RPC over HTTP, many calls to a round trip.

Calls made in the same turn of the event loop leave as one batch, at most ``BATCHES_IN_FLIGHT_MAX``
batches at a time; what comes while they are under way forms the next one. So the busier the
platform, the larger the batches and the cheaper a call.

An answer with an error object is an ``RpcError``; anything that is not an answer is a
``NodeTrouble``.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import aiohttp
import msgspec

from jigap.refusal import Kind, Refusal

#: A batch holds at most this many calls …
BATCH_CALLS_MAX = 256
#: … and this many bytes, because a public node refuses bodies above 128 kB.
BATCH_BYTES_MAX = 120_000
#: Batches under way at one time; more only queue in the node.
BATCHES_IN_FLIGHT_MAX = 2
#: Calls waiting to leave; beyond it the caller is told that the node does not keep up.
WAITING_MAX = 20_000


class RpcError(Refusal):
    """The node understood the call and answered with an error object."""

    code: ClassVar[str] = "node_refused"
    kind: ClassVar[Kind] = Kind.CONFLICT

    def __init__(self, rpc_code: int, message: str) -> None:
        super().__init__(message, rpc_code=rpc_code)
        self.rpc_code = rpc_code
        self.message = message


class NodeTrouble(Refusal):
    """No usable answer: the call may or may not have had an effect."""

    code: ClassVar[str] = "node_trouble"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    retryable: ClassVar[bool] = True
    hint: ClassVar[str] = "Try again in a moment."


class NodeUnreachable(NodeTrouble):
    """No connection, or it broke before the answer."""

    code: ClassVar[str] = "node_unreachable"


class NodeTimeout(NodeTrouble):
    """No answer in time."""

    code: ClassVar[str] = "node_timeout"


class NodeMalformed(NodeTrouble):
    """An answer that is not the JSON-RPC we asked for."""

    code: ClassVar[str] = "node_malformed"


@dataclass(slots=True)
class _Waiting:
    """Calls on their way together: their JSON without that of the batch, and who waits for it."""

    ids: range
    body: bytes
    answers: "asyncio.Future[list[Any]]"


class Wire:
    """The way to one node. One per process and event loop."""

    def __init__(self, url: str, timeout_ms: int) -> None:
        self.url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._session: aiohttp.ClientSession | None = None
        self._waiting: deque[_Waiting] = deque()
        self._waiting_calls = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._leaving = False
        self._closed = False
        self._last_id = time.monotonic_ns() & 0xFFFF_FFFF  # any start will do

    async def close(self) -> None:
        """Let go of the connections. Calls still waiting fail as unreachable."""
        self._closed = True
        _fail(self._waiting, lambda: NodeUnreachable("the client was closed"))
        self._waiting.clear()
        self._waiting_calls = 0
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """The ``result`` of one JSON-RPC call.

        Raises ``RpcError`` for an error object and a ``NodeTrouble`` for everything else.
        """
        (answer,) = await self._queue(method, [params])
        return answer

    async def calls(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many calls of one method, in their order; raises if one of them does.

        Cheaper than as many of ``call``: only batches are waited for.
        """
        parts = [
            self._queue(method, params[start : start + BATCH_CALLS_MAX])
            for start in range(0, len(params), BATCH_CALLS_MAX)
        ]
        return [answer for part in await asyncio.gather(*parts) for answer in part]

    def _queue(self, method: str, params: Sequence[Sequence[Any]]) -> "asyncio.Future[list[Any]]":
        """Let calls wait for the next batch; they stay together in it."""
        if self._closed:
            raise NodeUnreachable("the client was closed")
        if self._waiting_calls >= WAITING_MAX:
            raise NodeTimeout("the node does not keep up", waiting=self._waiting_calls)
        loop = asyncio.get_running_loop()
        ids = range(self._last_id + 1, self._last_id + 1 + len(params))
        self._last_id = ids[-1]
        asked = [
            {"jsonrpc": "2.0", "id": id_, "method": method, "params": given}
            for id_, given in zip(ids, params, strict=True)
        ]
        waiting = _Waiting(ids, msgspec.json.encode(asked)[1:-1], loop.create_future())
        self._waiting.append(waiting)
        self._waiting_calls += len(ids)
        if not self._leaving:
            self._leaving = True
            loop.call_soon(self._leave)
        return waiting.answers

    def _leave(self) -> None:
        """Send what waits, as far as batches may be under way."""
        self._leaving = False
        while self._waiting and len(self._under_way) < BATCHES_IN_FLIGHT_MAX:
            task = asyncio.ensure_future(self._send(self._take()))
            self._under_way.add(task)
            task.add_done_callback(self._back)

    def _back(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._leave()

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        size, count = 0, 0
        while self._waiting:
            next_ = self._waiting[0]
            size, count = size + len(next_.body) + 1, count + len(next_.ids)
            if taken and (size > BATCH_BYTES_MAX or count > BATCH_CALLS_MAX):
                break
            taken.append(self._waiting.popleft())
            self._waiting_calls -= len(next_.ids)
        return taken

    async def _send(self, calls: list[_Waiting]) -> None:
        try:
            answers = await self._round_trip(calls)
        except RpcError as refused:
            rpc_code, message = refused.rpc_code, refused.message
            _fail(calls, lambda: RpcError(rpc_code, message))
        except NodeTrouble as trouble:
            kind, detail = type(trouble), trouble.detail
            _fail(calls, lambda: kind(detail))
        except asyncio.CancelledError:
            _fail(calls, lambda: NodeUnreachable("the client was closed"))
            raise
        else:
            _deliver(calls, answers)

    async def _round_trip(self, calls: list[_Waiting]) -> dict[Any, dict[str, Any]]:
        """Answers by id."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=aiohttp.TCPConnector(limit=0)
            )
        body = b"[" + b",".join(waiting.body for waiting in calls) + b"]"
        try:
            async with self._session.post(
                self.url, data=body, headers={"Content-Type": "application/json"}
            ) as response:
                status, content = response.status, await response.read()
        except TimeoutError as error:
            raise NodeTimeout(f"no answer from {self.url} in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NodeUnreachable(f"{self.url}: {error}") from error
        if status != 200:
            raise NodeMalformed(f"{self.url} answered HTTP {status}", status=status)
        return _by_id(content)


def _fail(calls: Iterable[_Waiting], error: Callable[[], Exception]) -> None:
    for waiting in calls:
        if not waiting.answers.done():
            waiting.answers.set_exception(error())


def _by_id(content: bytes) -> dict[Any, dict[str, Any]]:
    try:
        answers = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NodeMalformed("the answer is not JSON") from error
    if isinstance(answers, dict) and isinstance(answers.get("error"), dict):
        raise _rpc_error(answers["error"])
    if not isinstance(answers, list) or not all(isinstance(one, dict) for one in answers):
        raise NodeMalformed("the answer is not a JSON-RPC batch")
    return {one["id"]: one for one in answers if isinstance(one.get("id"), int)}


def _deliver(calls: list[_Waiting], answers: dict[Any, dict[str, Any]]) -> None:
    for waiting in calls:
        if waiting.answers.done():  # the caller has gone
            continue
        try:
            waiting.answers.set_result([_result(answers.get(id_)) for id_ in waiting.ids])
        except (RpcError, NodeTrouble) as error:
            waiting.answers.set_exception(error)


def _result(answer: dict[str, Any] | None) -> Any:
    if answer is None:
        raise NodeMalformed("the batch lacks an answer")
    if isinstance(answer.get("error"), dict):
        raise _rpc_error(answer["error"])
    if "result" not in answer:
        raise NodeMalformed("neither result nor error")
    return answer["result"]


def _rpc_error(error: dict[str, Any]) -> RpcError:
    code = error.get("code")
    return RpcError(code if isinstance(code, int) else 0, str(error.get("message", "")))
