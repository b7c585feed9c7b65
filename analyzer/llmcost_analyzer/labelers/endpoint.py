"""Sends questions to an OpenAI-compatible endpoint over httpx, or through litellm where a model asks for it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any, Final

from llmcost_analyzer.labelers.ai import ANSWER_TOKENS, Asker, AskFailed, Reply

DEFAULT_URL: Final = "https://api.openai.com/v1"
_TIMEOUT: Final = 60.0


def asker(model: str, url: str | None, key: str | None) -> Asker:
    """How to ask a model.

    Args:
        model: its name; one with a provider (``anthropic/...``) goes through litellm if that is installed.
        url: base address of the endpoint, up to ``/v1``; OpenAI's by default.
        key: the API key, if the endpoint wants one.
    """
    if url is None and "/" in model and importlib.util.find_spec("litellm") is not None:
        return _LiteLLM(model)
    return _Endpoint(model, (url or DEFAULT_URL).rstrip("/"), key)


class _Endpoint:
    def __init__(self, model: str, url: str, key: str | None) -> None:
        self._model = model
        self._url = f"{url}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(self, messages: Iterable[Mapping[str, str]]) -> Reply:
        httpx = importlib.import_module("httpx")
        body = {"model": self._model, "messages": list(messages), "response_format": {"type": "json_object"}}
        try:
            response = httpx.post(self._url, json=body, headers=self._headers, timeout=_TIMEOUT)
            document = response.json() if response.status_code == httpx.codes.OK else None
        except httpx.HTTPError as exc:
            raise AskFailed(f"{self._url}: {exc or type(exc).__name__}") from None
        except ValueError:
            raise AskFailed(f"{self._url}: the response is no JSON") from None
        if document is None:
            raise AskFailed(f"{self._url}: status {response.status_code}")
        return _reply(document)


class _LiteLLM:
    def __init__(self, model: str) -> None:
        self._model = model

    def __call__(self, messages: Iterable[Mapping[str, str]]) -> Reply:
        litellm = importlib.import_module("litellm")
        try:
            response = litellm.completion(model=self._model, messages=list(messages), max_tokens=4 * ANSWER_TOKENS)
        except (litellm.exceptions.OpenAIError, OSError, ValueError) as exc:
            raise AskFailed(f"litellm: {type(exc).__name__}: {exc}".splitlines()[0]) from None
        return _reply(response.model_dump())


def _reply(document: Any) -> Reply:
    try:
        text = document["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise AskFailed("the response has no message") from None
    if not isinstance(text, str):
        raise AskFailed("the response has no text")
    usage = document.get("usage") or {}
    return Reply(text, _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None
