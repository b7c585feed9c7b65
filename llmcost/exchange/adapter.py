"""What the flow must know of an HTTP client's objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from llmcost.exchange.open_call import OpenCall


class ClientAdapter(Protocol):
    """What the flow must know of an HTTP client's objects; one small class a client family."""

    def target(self, request: Any) -> tuple[str, str, int | None, str]:
        """Method, host, port (None where it is the scheme's) and path of a request."""

    def headers(self, message: Any) -> Mapping[str, str]:
        """Headers of a request or response, looked up without regard to case."""

    def body(self, request: Any) -> bytes:
        """The request's body where it is in memory, else empty. Never consumes a stream."""

    def replace_body(self, request: Any, body: bytes) -> None:
        """Put another body in the request, with its length."""

    def ask_unpacked(self, request: Any) -> None:
        """Ask for an answer without compression."""

    def sent_target(self, request: Any) -> str:
        """Path and query of a request, encoded as they are sent."""

    def replace_target(self, request: Any, target: str) -> None:
        """Put another path and query in the request."""

    def answer(self, request: Any, status: int, headers: Mapping[str, str], body: bytes) -> Any:
        """A response that no server gave, whole and read."""

    def status(self, response: Any) -> int:
        """HTTP status."""

    def content(self, response: Any) -> bytes | None:
        """The whole decoded body where it was read already, else None."""

    def tap(self, response: Any, call: OpenCall) -> None:
        """Let ``call`` see the bytes of the response's stream as the program reads them."""
