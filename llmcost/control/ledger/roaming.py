"""A client of Redis that goes where its keys are: in a cluster all of a ledger's keys are on one node at a time.

One slot holds them all, so there is no need for a client that knows every node. A node that is asked for keys it does
not have says who has them; that is remembered until the new node cannot be reached, and then the URL's own is asked.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from llmcost.errors import ConfigError, MissingExtra

_MOST_MOVES: Final = 3
"""How often one command is sent on, while nodes do not agree."""


def connect(url: str, timeout_s: float) -> tuple[Any, Any]:
    """A client of redis-py for a URL, and the module of its exceptions.

    Raises:
        MissingExtra: redis-py is not installed.
        ConfigError: the URL cannot be read.
    """
    try:
        import redis
    except ImportError:
        raise MissingExtra("a ledger in Redis", "redis") from None
    # One more try for a connection that a restarted server has closed; never after a timeout, which has used the time.
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), 1, supported_errors=(redis.exceptions.ConnectionError,))
    if url.startswith(("valkey://", "valkeys://")):
        url = url.replace("valkey", "redis", 1)
    try:
        client = redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=retry)
    except ValueError as exc:
        raise ConfigError(f"ledger: {exc}") from None
    return Roaming(client, redis.exceptions), redis.exceptions


class Roaming:
    """Stands for the client of one node, and changes the node. Whatever a client does by name, this does.

    Args:
        client: of the node that the URL names.
        errors: the module of redis-py's exceptions.
    """

    def __init__(self, client: Any, errors: Any) -> None:
        self._first = client
        self._errors = errors
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, int], Any] = {}
        self._now = client

    def __getattr__(self, name: str) -> Any:
        """A command of the client, sent on as often as nodes say that another has the keys."""

        def ask(*arguments: Any, **options: Any) -> Any:
            for _ in range(_MOST_MOVES):
                try:
                    return getattr(self._now, name)(*arguments, **options)
                except self._errors.MovedError as moved:
                    self.follow(moved)
                except (self._errors.ConnectionError, self._errors.TimeoutError):
                    self._now = self._first
                    raise
            return getattr(self._now, name)(*arguments, **options)

        return ask

    def follow(self, moved: Any) -> None:
        """Go to the node that another has named. An empty host is the one that said so."""
        own = self._now.connection_pool.connection_kwargs
        place = moved.host or own.get("host", "localhost"), moved.port
        with self._lock:
            if place not in self._clients:
                self._clients[place] = self._at(*place)
            self._now = self._clients[place]

    def close(self) -> None:
        """Let go of all connections."""
        for client in (self._first, *self._clients.values()):
            client.close()
            client.connection_pool.disconnect()

    def _at(self, host: str, port: int) -> Any:
        pool = self._first.connection_pool
        settings = {**pool.connection_kwargs, "host": host, "port": port}
        made = type(pool)(connection_class=pool.connection_class, **settings)
        return type(self._first)(connection_pool=made)
