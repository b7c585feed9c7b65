"""The real SDKs, one row each: how a client is made, how a chat is asked for, and what their provider answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from e2e.loopback import Provider, Reply, as_json, as_lines, as_sse

IN, OUT = 1000, 200
QUESTION = "What does a call cost?"
MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]


@dataclass(frozen=True)
class Sdk:
    """One SDK: its provider's name, a priced model, the two bodies and the four ways to ask."""

    name: str
    provider: str
    model: str
    whole: Reply
    stream: Reply
    ask: Callable[[str, str], Any]
    ask_stream: Callable[[str, str], Iterator[Any]]
    aask: Callable[[str, str], Awaitable[Any]]
    aask_stream: Callable[[str, str], AsyncIterator[Any]]
    retries: bool = True

    def server(self) -> Provider:
        """A fresh provider for this SDK."""
        return Provider(self.whole, self.stream)


def _openai_bodies(model: str) -> tuple[Reply, Reply]:
    usage = {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": IN + OUT}
    head = {"id": "chatcmpl-1", "created": 1, "model": model}
    message = {"role": "assistant", "content": "Little."}
    whole = {**head, "object": "chat.completion", "usage": usage}
    whole["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
    chunk = {**head, "object": "chat.completion.chunk"}
    return as_json(whole), as_sse(
        {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Lit"}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {"content": "tle."}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage},
        "[DONE]",
    )


# --- openai and groq: the same surface ---------------------------------------------------------------------------


def _openai_like(module: str, provider: str, model: str, path: str) -> Sdk:
    def client(kind: str, url: str) -> Any:
        sdk = __import__(module)
        return getattr(sdk, kind)(api_key="none", base_url=url + path, max_retries=2)

    names = {"openai": ("OpenAI", "AsyncOpenAI"), "groq": ("Groq", "AsyncGroq")}[module]

    def ask(url: str, model: str) -> Any:
        return client(names[0], url).chat.completions.create(model=model, messages=MESSAGES)

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        yield from client(names[0], url).chat.completions.create(model=model, messages=MESSAGES, stream=True)

    async def aask(url: str, model: str) -> Any:
        async with client(names[1], url) as sdk:
            return await sdk.chat.completions.create(model=model, messages=MESSAGES)

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        async with client(names[1], url) as sdk:
            async for chunk in await sdk.chat.completions.create(model=model, messages=MESSAGES, stream=True):
                yield chunk

    whole, stream = _openai_bodies(model)
    return Sdk(module, provider, model, whole, stream, ask, ask_stream, aask, aask_stream)


# --- anthropic ---------------------------------------------------------------------------------------------------


def _anthropic() -> Sdk:
    model = "claude-haiku-4-5-20251001"
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    whole = as_json(
        {
            **message,
            "content": [{"type": "text", "text": "Little."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": IN, "output_tokens": OUT},
        }
    )
    started: dict[str, Any] = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": IN, "output_tokens": 1},
    }
    stream = as_sse(
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Little."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": OUT}},
        {"type": "message_stop"},
        names=True,
    )

    def options(model: str) -> dict[str, Any]:
        return {"model": model, "max_tokens": 300, "messages": MESSAGES}

    def ask(url: str, model: str) -> Any:
        import anthropic

        return anthropic.Anthropic(api_key="none", base_url=url).messages.create(**options(model))

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        import anthropic

        yield from anthropic.Anthropic(api_key="none", base_url=url).messages.create(**options(model), stream=True)

    async def aask(url: str, model: str) -> Any:
        import anthropic

        async with anthropic.AsyncAnthropic(api_key="none", base_url=url) as sdk:
            return await sdk.messages.create(**options(model))

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        import anthropic

        async with anthropic.AsyncAnthropic(api_key="none", base_url=url) as sdk:
            async for event in await sdk.messages.create(**options(model), stream=True):
                yield event

    return Sdk("anthropic", "anthropic", model, whole, stream, ask, ask_stream, aask, aask_stream)


# --- google-genai ------------------------------------------------------------------------------------------------


def _google() -> Sdk:
    model = "gemini-2.5-flash"

    def piece(text: str, out: int, **more: Any) -> dict[str, Any]:
        usage = {"promptTokenCount": IN, "candidatesTokenCount": out, "totalTokenCount": IN + out}
        content = {"role": "model", "parts": [{"text": text}]}
        return {"candidates": [{"content": content, **more}], "usageMetadata": usage, "modelVersion": model}

    def client(url: str) -> Any:
        import httpx2
        from google import genai

        # Its asynchronous client prefers aiohttp, which another adapter hooks; a transport keeps it on httpx2.
        options: Any = {"base_url": url, "async_client_args": {"transport": httpx2.AsyncHTTPTransport()}}
        return genai.Client(api_key="none", http_options=options)

    def ask(url: str, model: str) -> Any:
        sdk = client(url)  # its clients are closed when it is collected
        return sdk.models.generate_content(model=model, contents=QUESTION)

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        sdk = client(url)
        yield from sdk.models.generate_content_stream(model=model, contents=QUESTION)

    async def aask(url: str, model: str) -> Any:
        async with client(url).aio as sdk:
            return await sdk.models.generate_content(model=model, contents=QUESTION)

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        async with client(url).aio as sdk:
            async for chunk in await sdk.models.generate_content_stream(model=model, contents=QUESTION):
                yield chunk

    whole = as_json(piece("Little.", OUT, finishReason="STOP"))
    stream = as_sse(piece("Lit", 50), piece("tle.", OUT, finishReason="STOP"))
    return Sdk("google-genai", "gcp.gemini", model, whole, stream, ask, ask_stream, aask, aask_stream, retries=False)


# --- mistralai ---------------------------------------------------------------------------------------------------


def _mistral() -> Sdk:
    model = "mistral-small-latest"

    def client(url: str) -> Any:
        from mistralai.client import Mistral

        return Mistral(api_key="none", server_url=url)

    def ask(url: str, model: str) -> Any:
        return client(url).chat.complete(model=model, messages=MESSAGES)

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        yield from client(url).chat.stream(model=model, messages=MESSAGES)

    async def aask(url: str, model: str) -> Any:
        return await client(url).chat.complete_async(model=model, messages=MESSAGES)

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        async for event in await client(url).chat.stream_async(model=model, messages=MESSAGES):
            yield event

    whole, stream = _openai_bodies(model)
    return Sdk("mistralai", "mistral_ai", model, whole, stream, ask, ask_stream, aask, aask_stream, retries=False)


# --- cohere ------------------------------------------------------------------------------------------------------


def _cohere() -> Sdk:
    model = "command-r-08-2024"
    usage = {"billed_units": {"input_tokens": IN, "output_tokens": OUT}, "tokens": {"input_tokens": IN + 60}}
    content = [{"type": "text", "text": "Little."}]
    message = {"role": "assistant", "content": content}
    whole = as_json({"id": "c1", "finish_reason": "COMPLETE", "message": message, "usage": usage})
    stream = as_sse(
        {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Little."}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
        names=True,
    )

    def ask(url: str, model: str) -> Any:
        import cohere

        return cohere.ClientV2(api_key="none", base_url=url).chat(model=model, messages=MESSAGES)

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        import cohere

        yield from cohere.ClientV2(api_key="none", base_url=url).chat_stream(model=model, messages=MESSAGES)

    async def aask(url: str, model: str) -> Any:
        import cohere

        return await cohere.AsyncClientV2(api_key="none", base_url=url).chat(model=model, messages=MESSAGES)

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        import cohere

        sdk = cohere.AsyncClientV2(api_key="none", base_url=url)
        async for event in sdk.chat_stream(model=model, messages=MESSAGES):
            yield event

    return Sdk("cohere", "cohere", model, whole, stream, ask, ask_stream, aask, aask_stream)


# --- ollama ------------------------------------------------------------------------------------------------------


def _ollama() -> Sdk:
    model = "llama3.1"
    head = {"model": model, "created_at": "2026-01-01T00:00:00Z"}
    ended = {**head, "done": True, "done_reason": "stop", "prompt_eval_count": IN, "eval_count": OUT}
    ended["message"] = {"role": "assistant", "content": "Little."}
    begun = {**head, "done": False, "message": {"role": "assistant", "content": "Lit"}}

    def ask(url: str, model: str) -> Any:
        import ollama

        return ollama.Client(host=url).chat(model=model, messages=MESSAGES)

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        import ollama

        yield from ollama.Client(host=url).chat(model=model, messages=MESSAGES, stream=True)

    async def aask(url: str, model: str) -> Any:
        import ollama

        return await ollama.AsyncClient(host=url).chat(model=model, messages=MESSAGES)

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        import ollama

        async for part in await ollama.AsyncClient(host=url).chat(model=model, messages=MESSAGES, stream=True):
            yield part

    whole, stream = as_json(ended), as_lines(begun, ended)
    return Sdk("ollama", "ollama", model, whole, stream, ask, ask_stream, aask, aask_stream, retries=False)


# --- litellm and huggingface_hub: one surface for many providers -------------------------------------------------


def _litellm(prefix: str, provider: str, model: str, path: str) -> Sdk:
    def options(url: str, model: str) -> dict[str, Any]:
        return {"model": f"{prefix}/{model}", "messages": MESSAGES, "api_base": url + path, "api_key": "none"}

    def ask(url: str, model: str) -> Any:
        import litellm

        return litellm.completion(**options(url, model))

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        import litellm

        yield from litellm.completion(**options(url, model), stream=True)

    async def aask(url: str, model: str) -> Any:
        import litellm

        return await litellm.acompletion(**options(url, model))

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        import litellm

        async for chunk in await litellm.acompletion(**options(url, model), stream=True):
            yield chunk

    whole, stream = _openai_bodies(model)
    return Sdk(f"litellm over {prefix}", provider, model, whole, stream, ask, ask_stream, aask, aask_stream)


def _huggingface() -> Sdk:
    model = "openai/gpt-oss-120b"

    def ask(url: str, model: str) -> Any:
        import huggingface_hub

        sdk = huggingface_hub.InferenceClient(base_url=url + "/v1", api_key="none")
        return sdk.chat_completion(messages=MESSAGES, model=model)

    def ask_stream(url: str, model: str) -> Iterator[Any]:
        import huggingface_hub

        sdk = huggingface_hub.InferenceClient(base_url=url + "/v1", api_key="none")
        yield from sdk.chat_completion(messages=MESSAGES, model=model, stream=True)

    async def aask(url: str, model: str) -> Any:
        import huggingface_hub

        async with huggingface_hub.AsyncInferenceClient(base_url=url + "/v1", api_key="none") as sdk:
            return await sdk.chat_completion(messages=MESSAGES, model=model)

    async def aask_stream(url: str, model: str) -> AsyncIterator[Any]:
        import huggingface_hub

        async with huggingface_hub.AsyncInferenceClient(base_url=url + "/v1", api_key="none") as sdk:
            async for chunk in await sdk.chat_completion(messages=MESSAGES, model=model, stream=True):
                yield chunk

    whole, stream = _openai_bodies(model)
    return Sdk("huggingface_hub", "groq", model, whole, stream, ask, ask_stream, aask, aask_stream, retries=False)


SDKS = (
    _openai_like("openai", "openai", "gpt-5-mini", "/v1"),
    _openai_like("groq", "groq", "openai/gpt-oss-120b", ""),
    _anthropic(),
    _google(),
    _mistral(),
    _cohere(),
    _ollama(),
)
OVER_OTHERS = (
    _litellm("openai", "openai", "gpt-5-mini", "/v1"),
    _litellm("anthropic", "anthropic", "claude-haiku-4-5-20251001", ""),
    _huggingface(),
)
"""SDKs that speak to providers of others; what they add is proved where it matters."""
