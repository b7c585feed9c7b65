"""Another model in a request: in the body or the path, wherever the provider's table says that it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from llmcost.providers.matching import Endpoint, clean, unquoted
from llmcost.providers.paths import Path
from llmcost.providers.patterns import pattern
from llmcost.providers.wanted import load

_PREFIX: Final = "models/"
_IN_PATH: Final = "model"
_SIGNING_SCHEMES: Final = ("aws4-", "signature ", "hmac", "hawk ", "digest ", "goog4-", "sharedkey")
"""Beginnings of an ``authorization`` header that holds a signature over the request, in lower case."""

_SIGNED_BY: Final = frozenset({"signature", "content-digest", "digest", "content-md5", "x-amz-content-sha256"})
"""Headers that hold a signature or a sum of the body."""

_SIGNED_QUERY: Final = ("x-amz-signature=", "x-goog-signature=", "signature=")


class Rewritten(NamedTuple):
    """A request with another model: its body and its path with the query, None where that part stays as it was."""

    body: bytes | None
    path: str | None


def signed(headers: Mapping[str, str], query: str) -> bool:
    """Whether a signature covers the request, so that a changed one would be refused.

    Args:
        headers: of the request, in lower case or looked up without regard to case.
        query: the query of the URL.
    """
    scheme = (headers.get("authorization") or "").lower()
    if scheme.startswith(_SIGNING_SCHEMES) or any(name in headers for name in _SIGNED_BY):
        return True
    return bool(query) and any(name in query.lower() for name in _SIGNED_QUERY)


def with_model(endpoint: Endpoint, target: str, body: bytes, model: tuple[str, str]) -> Rewritten | None:
    """The request with another model in every place that holds the one asked for.

    Args:
        endpoint: says where the model may stand.
        target: path and query of the request as sent.
        body: the request's body; empty where it is not in memory.
        model: the model asked for, and the one to send.

    Returns:
        What changes; None where the model stands nowhere that can be written.
    """
    new_body = _in_body(endpoint, body, model)
    new_path = _in_path(endpoint, target, model)
    return Rewritten(new_body, new_path) if new_body or new_path else None


def _in_body(endpoint: Endpoint, body: bytes, model: tuple[str, str]) -> bytes | None:
    document = load(body) if body.startswith(b"{") else None
    if not isinstance(document, dict):
        return None
    changed = [_put(document, path, model) for path in endpoint.shape.request.get("model", ())]
    return json.dumps(document, separators=(",", ":")).encode() if any(changed) else None


def _put(document: Any, path: Path, model: tuple[str, str]) -> bool:
    """Replace the model at a path, keeping a ``models/`` before it."""
    *parents, key = path
    for segment in parents:
        document = document.get(segment) if isinstance(document, dict) else None
    before = document.get(key) if isinstance(document, dict) else None
    for prefix in ("", _PREFIX):
        if before == prefix + model[0]:
            document[key] = prefix + model[1]
            return True
    return False


def _in_path(endpoint: Endpoint, target: str, model: tuple[str, str]) -> str | None:
    plain, mark, query = target.partition("?")
    plain = clean(plain)
    found = pattern(endpoint.route.path).fullmatch(plain)
    if found is None or _IN_PATH not in found.re.groupindex or unquoted(found[_IN_PATH]) != model[0]:
        return None
    start, end = found.span(_IN_PATH)
    return plain[:start] + quote(model[1], safe="@:") + plain[end:] + mark + query
