"""httpx and httpx2: one adapter, given the module."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

from llmcost.exchange import flow
from llmcost.exchange.engine import active
from llmcost.exchange.open_call import OpenCall

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class HttpxAdapter:
    """Reads the requests and responses of one httpx-like module."""

    def __init__(self, module: ModuleType) -> None:
        self._response = module.Response
        self._tapped, self._tapped_async = _tapped_streams(module)

    def target(self, request: Any) -> tuple[str, str, int | None, str]:
        """Method, host, port and path."""
        url = request.url
        return request.method, url.host, url.port or _DEFAULT_PORTS.get(url.scheme), url.path

    def headers(self, message: Any) -> Mapping[str, str]:
        """Headers, without regard to case."""
        return message.headers  # type: ignore[no-any-return]

    def body(self, request: Any) -> bytes:
        """The body in memory; of a multipart upload only its fields, never the files."""
        content = getattr(request, "_content", None)
        if content is not None:
            return bytes(content)
        parts = getattr(request.stream, "fields", None)
        boundary = getattr(request.stream, "boundary", None)
        return _form_fields(parts, boundary) if parts and boundary else b""

    def replace_body(self, request: Any, body: bytes) -> None:
        """Put another body in the request: the content, the stream that is sent, and the length."""
        replacement = type(request)(request.method, request.url, content=body)
        request.stream = replacement.stream
        request._content = body  # noqa: SLF001 - what `request.content` returns
        request.headers["content-length"] = str(len(body))
        request.headers.pop("transfer-encoding", None)

    def ask_unpacked(self, request: Any) -> None:
        """Ask for an answer without compression."""
        request.headers["accept-encoding"] = "identity"

    def replace_target(self, request: Any, target: str) -> None:
        """Put another path and query in the request."""
        request.url = request.url.copy_with(raw_path=target.encode("ascii"))

    def sent_target(self, request: Any) -> str:
        """Path and query of a request, encoded as they are sent."""
        return request.url.raw_path.decode("ascii")  # type: ignore[no-any-return]

    def answer(self, request: Any, status: int, headers: Mapping[str, str], body: bytes) -> Any:
        """A response that no server gave."""
        response = self._response(status, headers=dict(headers), content=body, request=request)
        response.elapsed = timedelta()
        return response

    def status(self, response: Any) -> int:
        """HTTP status."""
        return int(response.status_code)

    def content(self, response: Any) -> bytes | None:
        """The decoded body, where the client read it already."""
        return getattr(response, "_content", None)

    def tap(self, response: Any, call: OpenCall) -> None:
        """Put our stream around the response's. The program still reads the same bytes from the same object."""
        if response.is_closed or response.is_stream_consumed:
            call.finish("closed")
            return
        call.engine.open_streams[id(call)] = call
        wrapper = self._tapped_async if hasattr(response.stream, "__aiter__") else self._tapped
        response.stream = wrapper(response.stream, call)


def _form_fields(parts: list[Any], boundary: bytes) -> bytes:
    out = b""
    for part in parts:
        if not hasattr(part, "file"):
            out += b"--" + boundary + b"\r\n" + part.render_headers() + part.render_data() + b"\r\n"
    return out + b"--" + boundary + b"--\r\n"


class _Tapped:
    """What both streams share: the stream inside, the call that sees it, and the end of one that was dropped."""

    def __init__(self, inner: Any, call: OpenCall) -> None:
        self._inner = inner
        self._call = call

    def __del__(self) -> None:
        """Runs in the garbage collector, at any allocation, perhaps under a lock of ours: it only queues."""
        call = getattr(self, "_call", None)
        if call is not None and not call.finished:
            call.engine.dropped.put(call)


def _tapped_streams(module: ModuleType) -> tuple[type[Any], type[Any]]:
    """The two stream classes; they must derive from the module's own, which the client checks for."""
    return _tapped_sync(module), _tapped_async(module)


def _tapped_sync(module: Any) -> type[Any]:
    class TappedStream(_Tapped, module.SyncByteStream):  # type: ignore[misc]
        """A response body that shows its bytes to a call while the program reads them."""

        def __iter__(self) -> Iterator[bytes]:
            call = self._call
            passes = call.passing()
            try:
                for chunk in self._inner:
                    yield chunk if passes(chunk) else call.feed(chunk)
                if rest := call.rest():
                    yield rest
            except GeneratorExit:
                raise
            except BaseException as error:
                call.finish(flow.outcome_of(error), error)
                raise
            call.finish("complete")

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._call.finish("closed")

    return TappedStream


def _tapped_async(module: Any) -> type[Any]:
    class TappedAsyncStream(_Tapped, module.AsyncByteStream):  # type: ignore[misc]
        """The same for asynchronous code."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            call = self._call
            passes = call.passing()
            try:
                async for chunk in self._inner:
                    yield chunk if passes(chunk) else call.feed(chunk)
                if rest := call.rest():
                    yield rest
            except GeneratorExit:
                raise
            except BaseException as error:
                call.finish(flow.outcome_of(error), error)
                raise
            call.finish("complete")

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._call.finish("closed")

    return TappedAsyncStream


def _wrap_send(module: ModuleType, original: Any) -> Any:
    adapter = HttpxAdapter(module)

    @functools.wraps(original)
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        engine = active.engine
        run = flow.begin(engine, adapter, request) if engine is not None and send.active else None  # type: ignore[attr-defined]
        if run is None:
            return original(self, request, **kwargs)
        return flow.drive(run, functools.partial(original, self, **kwargs))

    return send


def _wrap_send_async(module: ModuleType, original: Any) -> Any:
    adapter = HttpxAdapter(module)

    @functools.wraps(original)
    async def send(self: Any, request: Any, **kwargs: Any) -> Any:
        engine = active.engine
        run = flow.begin(engine, adapter, request) if engine is not None and send.active else None  # type: ignore[attr-defined]
        if run is None:
            return await original(self, request, **kwargs)
        return await flow.drive_async(run, functools.partial(original, self, **kwargs))

    return send


WRAPS: Final = {"Client.send": _wrap_send, "AsyncClient.send": _wrap_send_async}
