"""The path of one call, written once as a generator, and its two drivers.

recognise, attribute, admit, send, tap, price, settle, finish: the generator yields the request where it must be sent
and is given the response; where there are budgets it first yields the question to them and is given their verdict. It
has no idea whether it is driven by synchronous or asynchronous code.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, TypeVar

from opentelemetry.context import get_current

from llmcost.exchange.adapter import ClientAdapter
from llmcost.exchange.adopt import LABEL
from llmcost.exchange.asking import Asking
from llmcost.exchange.engine import Engine
from llmcost.exchange.guard import guard
from llmcost.exchange.inject import USAGE_ON_REQUEST, HiddenUsageChunk, with_usage_asked
from llmcost.exchange.open_call import OpenCall
from llmcost.exchange.reading import Reading
from llmcost.exchange.started import Started
from llmcost.exchange.watched import WatchedCall
from llmcost.providers import Endpoint, RequestFacts
from llmcost.records import make_tuple

Request = TypeVar("Request")
Response = TypeVar("Response")
Flow = Generator[Request, Response, Response]
_BEGIN: Final = guard("flow.begin")
_RECEIVE: Final = guard("flow.receive")


def begin(engine: Engine, adapter: ClientAdapter, request: Any) -> Flow[Any, Any] | None:
    """Recognise a call. None for everything else: such a request is sent as if we were not there."""
    with _BEGIN:
        make_watch = engine.turn()
        watch = None if make_watch is None else make_watch()
        if not engine.dropped.empty():
            engine.drain()
        method, host, port, path = adapter.target(request)
        endpoint = engine.registry.endpoint(method, host, port, path)
        if endpoint is None:
            if engine.registry.unseen(method, host, path):
                engine.unseen(host)
            return None
        context = get_current()
        if LABEL in context:  # nested clients are one call
            return None
        if endpoint.poll:
            return _poll(engine, endpoint, adapter, request) if engine.background else None
        facts = endpoint.read_request(path, adapter.headers(request), adapter.body(request))
        if facts is None:
            if engine.registry.unseen(method, host, path):
                engine.unseen(host)
            return None
        clock, attribution = engine.clock, engine.attribute(sys._getframe(2), context)
        at_ns, at = clock.now_ns(), clock.monotonic()
        started = make_tuple(Started, (endpoint, facts, host, port, attribution, context, at_ns, at, None, watch))
        if engine.gate is not None and engine.options.counted_by(host, port) is None:
            sending, budgeted = _with_budgets()
            return budgeted(sending(engine, engine.gate, adapter, request), started, _opened)  # type: ignore[no-any-return]
        return _opened(engine, adapter, request, started)
    return None


@functools.cache
def _with_budgets() -> tuple[Any, Any]:
    """The path where there are budgets; where there are none, its code is never read."""
    from llmcost.exchange.budgeted import Sending, budgeted

    return Sending, budgeted


def _opened(engine: Engine, adapter: ClientAdapter, request: Any, started: Started) -> Flow[Any, Any]:
    watch = started.watch
    call = OpenCall(engine, started) if watch is None else WatchedCall(engine, started, watch)
    facts = started.request
    if engine.options.inject_stream_usage and facts.stream and not facts.include_usage:
        _ask_for_usage(call, adapter, request)
    return _flow(call, adapter, request)


def _ask_for_usage(call: OpenCall, adapter: ClientAdapter, request: Any) -> None:
    if call.started.endpoint.shape.name in USAGE_ON_REQUEST:
        body = with_usage_asked(adapter.body(request))
        if body is not None:
            adapter.replace_body(request, body)
            adapter.ask_unpacked(request)  # the answer's bytes are about to be looked through
            call.hidden = HiddenUsageChunk()


def _flow(call: OpenCall, adapter: ClientAdapter, request: Any) -> Flow[Any, Any]:
    token = call.enter()
    try:
        response = yield request
    except BaseException as error:
        call.finish(outcome_of(error), error)
        raise
    finally:
        call.leave(token)
    _receive(call, adapter, response)
    return response


def _receive(call: OpenCall, adapter: ClientAdapter, response: Any) -> None:
    with _RECEIVE:
        status, headers, content = adapter.status(response), adapter.headers(response), adapter.content(response)
        if content is None:
            call.answered(status, headers)
            # To look up what is absent, the usual case, takes an exception.
            call.decode(headers["content-encoding"] if "content-encoding" in headers else None)  # noqa: SIM401
            adapter.tap(response, call)
            return
        call.whole(status, headers, content)
    call.finish("complete")


def _poll(engine: Engine, endpoint: Endpoint, adapter: ClientAdapter, request: Any) -> Flow[Any, Any]:
    """A poll is no call of its own; it ends the background call that it asks for."""
    response = yield request
    with guard("flow.poll"):
        content = adapter.content(response)
        if content is not None:
            reading = Reading(endpoint, RequestFacts(), adapter.status(response), adapter.headers(response))
            reading.whole(content)
            engine.background.polled(reading.facts())
    return response


def outcome_of(error: BaseException) -> str:
    """How a call ended that an exception ended: cancelled by the program, or failed."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return "cancelled" if kinds & {"CancelledError", "Cancelled", "KeyboardInterrupt", "SystemExit"} else "failed"


def drive(flow: Flow[Request, Response], send: Callable[[Request], Response]) -> Response:
    """Run a flow with a sending function. The program's exceptions pass unchanged."""
    try:
        request: Any = next(flow)
        if type(request) is Asking:
            answer: Any = request.now()
            request = flow.send(answer)
    except StopIteration as refused:
        return refused.value  # type: ignore[no-any-return]
    try:
        response = send(request)
    except BaseException as error:
        _throw(flow, error)
        raise
    return _resume(flow, response)


async def drive_async(flow: Flow[Request, Response], send: Callable[[Request], Awaitable[Response]]) -> Response:
    """Run a flow with an asynchronous sending function."""
    try:
        request: Any = next(flow)
        if type(request) is Asking:
            answer: Any = await request.later()
            request = flow.send(answer)
    except StopIteration as refused:
        return refused.value  # type: ignore[no-any-return]
    try:
        response = await send(request)
    except BaseException as error:
        _throw(flow, error)
        raise
    return _resume(flow, response)


def _resume(flow: Flow[Request, Response], response: Response) -> Response:
    try:
        flow.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    return response


def _throw(flow: Flow[Request, Response], error: BaseException) -> None:
    try:
        flow.throw(error)
    except BaseException as raised:
        if raised is not error:
            raise
