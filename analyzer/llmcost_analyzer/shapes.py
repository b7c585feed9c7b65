"""Calls that can be told by their shape alone, where nothing is known of the object: rows, most telling first."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from llmcost_analyzer.facts import Expr, dotted


@dataclass(frozen=True, slots=True)
class Shape:
    """A way of calling that gives a model call away.

    Attributes:
        path: what the dotted callee ends with.
        operation: as in the table of sinks.
        keywords: at least one of these argument names must be there; empty: none needed.
        beside: at least one of these must be there too; empty: none needed.
        holder: what the name before the path must match; empty: anything.
        sdk_file: only in files that import an SDK of the table.
        imported: only where what is called comes from another package.
    """

    path: str
    operation: str
    keywords: frozenset[str] = frozenset()
    holder: str = ""
    sdk_file: bool = False
    beside: frozenset[str] = frozenset()
    imported: bool = False


_MODEL: Final = frozenset({"model", "model_id", "modelId", "engine", "deployment_id", "**"})
_MESSAGES: Final = _MODEL | {"messages", "max_tokens"}
_INPUT: Final = _MODEL | {"input", "texts"}
_LLM: Final = (
    r"(^|_)(llm|llms|lm|chat_?model|language_model|chat_?llm|chain|gpt|gpt4|chatgpt|gpt_4|claude|gemini|mistral|"
    r"openai|anthropic|cohere|ollama|groq)($|_|\d)"
)
_LLM_OR_MODEL: Final = (
    r"(^|_)(llm|llms|lm|model|chat_?model|language_model|chain|gpt|claude|gemini|runnable|judge|grader|summarizer|"
    r"classifier_llm)($|_|\d)"
)
_AGENT: Final = r"(^|_)(agent|crew|assistant_agent|agent_executor|team)($|_|\d)"
_MODEL_GENAI: Final = r"(^|_)(gen_?ai|genai|gemini|model|client|llm|vision_model)($|_|\d)"
_PROMPT: Final = frozenset({"prompt", "messages"})
_SAMPLING: Final = frozenset(
    {"max_tokens", "max_new_tokens", "max_output_tokens", "temperature", "top_p", "stop_token"}
)

SHAPES: Final = (
    Shape("chat.completions.create", "chat"),
    Shape("chat.completions.parse", "chat"),
    Shape("chat.completions.stream", "chat"),
    Shape("chat.completions.acreate", "chat"),
    Shape("chat.completions.with_raw_response.create", "chat"),
    Shape("chat.completions.create_with_completion", "chat"),
    Shape("completions.create", "text_completion", _MESSAGES | {"prompt"}),
    Shape("responses.create", "chat", _INPUT | {"instructions"}),
    Shape("responses.parse", "chat", _INPUT | {"text_format"}),
    Shape("responses.stream", "chat", _INPUT),
    Shape(
        "messages.create",
        "chat",
        frozenset({"max_tokens", "messages", "system", "**"}),
        r"(?i)(client|anthropic|claude|llm|api)",
    ),
    Shape("messages.stream", "chat", frozenset({"max_tokens", "messages", "system", "**"})),
    Shape("embeddings.create", "embeddings", _INPUT),
    Shape("images.generate", "image_generation", frozenset({"prompt", "model", "**"})),
    Shape("images.edit", "image_generation", frozenset({"prompt", "model", "**"})),
    Shape("audio.speech.create", "speech"),
    Shape("audio.transcriptions.create", "transcription"),
    Shape("audio.translations.create", "transcription"),
    Shape("moderations.create", "moderation"),
    Shape("threads.runs.create", "agent"),
    Shape("threads.runs.create_and_poll", "agent"),
    Shape("threads.runs.stream", "agent"),
    Shape("models.generate_content", "generate_content"),
    Shape("models.generate_content_stream", "generate_content"),
    Shape("models.embed_content", "embeddings"),
    Shape("models.generate_images", "image_generation"),
    Shape("models.generate_videos", "video_generation"),
    Shape("generate_content", "generate_content", holder=_MODEL_GENAI),
    Shape("generate_content_async", "generate_content"),
    Shape("ChatCompletion.create", "chat"),
    Shape("ChatCompletion.acreate", "chat"),
    Shape("Completion.create", "text_completion", _MODEL | {"prompt"}),
    Shape("Embedding.create", "embeddings", _INPUT),
    Shape("converse", "chat", frozenset({"modelId", "**"})),
    Shape("converse_stream", "chat", frozenset({"modelId", "**"})),
    Shape("invoke_model", "chat", frozenset({"modelId", "body", "**"})),
    Shape("invoke_model_with_response_stream", "chat", frozenset({"modelId", "body", "**"})),
    Shape("chat.complete", "chat", _MESSAGES),
    Shape("chat.complete_async", "chat", _MESSAGES),
    Shape("chat.stream_async", "chat", _MESSAGES),
    Shape("embed_query", "embeddings"),
    Shape("aembed_query", "embeddings"),
    Shape("aembed_documents", "embeddings"),
    Shape("get_text_embedding", "embeddings"),
    Shape("get_text_embedding_batch", "embeddings"),
    Shape("get_query_embedding", "embeddings"),
    Shape("embed_documents", "embeddings"),
    Shape("kickoff", "agent"),
    Shape("kickoff_async", "agent"),
    Shape("invoke", "chat", holder=_LLM_OR_MODEL),
    Shape("ainvoke", "chat", holder=_LLM_OR_MODEL),
    Shape("astream", "chat", holder=_LLM_OR_MODEL),
    Shape("stream", "chat", holder=_LLM, sdk_file=True),
    Shape("batch", "chat", holder=_LLM),
    Shape("abatch", "chat", holder=_LLM_OR_MODEL),
    Shape("apredict", "chat", holder=_LLM),
    Shape("predict", "chat", holder=_LLM),
    Shape("agenerate", "chat", holder=_LLM),
    Shape("acomplete", "chat", holder=_LLM),
    Shape("complete", "chat", holder=_LLM),
    Shape("achat", "chat", holder=_LLM),
    Shape("chat", "chat", holder=_LLM),
    Shape("generate", "chat", holder=_LLM, sdk_file=True),
    Shape("invoke", "agent", holder=_AGENT),
    Shape("ainvoke", "agent", holder=_AGENT),
    Shape("run_sync", "agent", holder=_AGENT),
    Shape("arun", "agent", holder=_AGENT, sdk_file=True),
    Shape("run", "agent", holder=_AGENT, sdk_file=True),
    Shape("generate_reply", "agent", holder=_AGENT),
    Shape("initiate_chat", "agent"),
    Shape("a_initiate_chat", "agent"),
    *(
        Shape(name, "chat", holder=_LLM)
        for name in (
            *("stream_chat", "astream_chat", "stream_complete", "astream_complete", "chat_completion"),
            *("structured_chat", "astructured_chat", "structured_predict", "astructured_predict"),
            *("chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools"),
            *("get_completion", "aget_completion", "get_chat_completion", "select_tool", "call_single"),
        )
    ),
    *(
        Shape(name, "chat", _PROMPT, beside=_SAMPLING, imported=True)
        for name in (
            *("acall", "agenerate", "ask", "call", "chat", "chat_completion", "complete", "completion", "create"),
            *("generate", "get_completion", "infer", "invoke", "predict", "query", "request", "run"),
        )
    ),
)

_BY_LAST: Final[dict[str, list[Shape]]] = {}
for _shape in SHAPES:
    _BY_LAST.setdefault(_shape.path.rsplit(".", 1)[-1], []).append(_shape)

LAST_NAMES: Final = frozenset(_BY_LAST)


def by_shape(call: Expr, given: AbstractSet[str], *, imports_sdk: bool, imported: bool) -> Shape | None:
    """The first row that a call fits.

    Args:
        call: the call.
        given: the names of its arguments, ``**`` where there are some that are not seen.
        imports_sdk: whether its file imports an SDK of the table.
        imported: whether what it calls comes from another package.
    """
    name = chain(call[1])
    last = name.rsplit(".", 1)[-1]
    for shape in _BY_LAST.get(last, ()):
        if (shape.sdk_file and not imports_sdk) or (shape.imported and not imported):
            continue
        if not (name == shape.path or name.endswith("." + shape.path)):
            continue
        if any(needed and not needed & given for needed in (shape.keywords, shape.beside)):
            continue
        holder = name[: -len(shape.path)].rstrip(".").rsplit(".", 1)[-1]
        if not holder or (shape.holder and not re.search(shape.holder, holder)):
            continue
        return shape
    return None


def chain(expr: Expr | None) -> str:
    """The dotted callee; calls and items inside a chain are passed over: ``self.get().chat.create``."""
    if expr is None:
        return "?"
    if expr[0] == "name":
        return str(expr[1])
    if expr[0] == "attr":
        return f"{chain(expr[1])}.{expr[2]}"
    if expr[0] == "call":
        return chain(expr[1])
    if expr[0] == "item":
        key = expr[2]
        return f"{chain(expr[1])}.{key[1]}" if key is not None and key[0] == "text" else chain(expr[1])
    return dotted(expr) or "?"
