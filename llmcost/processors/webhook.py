"""Posts to the user's webhook: signed, repeated until they arrive, and never in the way of the program."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import queue
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from llmcost.errors import ConfigError
from llmcost.store.forks import renew_in_child

log: Final = logging.getLogger("llmcost")

SIGNATURE: Final = "X-Llmcost-Signature"
"""``t=<Unix seconds>,v1=<hex>``: HMAC-SHA256 of ``<Unix seconds>.<body>`` by the secret."""
DELIVERY: Final = "X-Llmcost-Delivery"
"""Id of the post, the same when it is repeated: a receiver that knows it has it already."""
TRIES: Final = 8
TIMEOUT_S: Final = 10.0
MOST_WAITING: Final = 100
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_AGAIN: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Post:
    """A body of JSON and the id of its delivery."""

    id: str
    body: bytes


class Webhook:
    """Sends in a thread of its own. A full queue drops the newest, and says so once.

    Args:
        url: where to; ``http`` or ``https``.
        secret: signs the posts; None leaves them unsigned.
        clock: Unix time in seconds.
        pause: waits so many seconds; False where it was woken to end.

    Raises:
        ConfigError: the URL is none of the web.
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise ConfigError(f"anomalies.webhook: {url!r} begins with neither https:// nor http://")
        self._url = url
        self._secret = secret
        self._clock = clock
        self._given_pause = pause
        self.dropped = 0
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """What waits is the parent's."""
        self._posts: queue.Queue[Post] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def send(self, post: Post) -> None:
        """Queue a post."""
        try:
            self._posts.put_nowait(post)
        except queue.Full:
            self._drop("too many posts wait")
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="llmcost-webhook", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is ending
                self._thread = None

    def stop(self) -> None:
        """End; what waits is not sent."""
        self._ending.set()

    def join(self) -> None:
        """Wait until all posts were sent or given up. For tests and the end of a command."""
        self._posts.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            post = self._posts.get()
            try:
                with suppress_instrumentation():
                    self._deliver(post)
            finally:
                self._posts.task_done()

    def _deliver(self, post: Post) -> None:
        reason = ""
        for number in range(TRIES):
            if number:
                self._pause(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (number - 1)) * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the load
            if self._ending.is_set():
                return
            try:
                status, reason = self._post(post)
            except (OSError, http.client.HTTPException) as exc:
                reason = type(exc).__name__
                continue
            if status < 300:
                return
            if status < 500 and status not in _AGAIN:
                break
        self._drop(reason)

    def _pause(self, seconds: float) -> None:
        if self._given_pause is not None:
            self._given_pause(seconds)
        else:
            self._ending.wait(seconds)

    def _post(self, post: Post) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "llmcost", DELIVERY: post.id}
        if self._secret is not None:
            headers[SIGNATURE] = signature(self._secret, post.body, int(self._clock()))
        request = urllib.request.Request(self._url, post.body, headers, method="POST")  # noqa: S310 - checked above
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S) as response:
                return response.status, f"status {response.status}"
        except urllib.error.HTTPError as exc:
            exc.close()
            return exc.code, f"status {exc.code}"

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        if self.dropped == 1:
            log.warning("llmcost: an anomaly could not be posted to the webhook (%s)", reason)


def signature(secret: str, body: bytes, at: int) -> str:
    """The value of the header :data:`SIGNATURE`."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A post is not sent on to wherever the answer points."""

    def redirect_request(self, req: object, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str) -> None:
        """None: the redirect is the answer."""


_OPENER: Final = urllib.request.build_opener(_NoRedirects)
