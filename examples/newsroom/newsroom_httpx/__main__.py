"""One short morning with nothing but httpx: ``python -m newsroom_httpx``."""

from __future__ import annotations

import os
from typing import Any

import httpx

ARTICLES = ("The old harbour crane turns again", "Night trains return to the lake line")
LETTERS = ("Where can I see the crane at work?", "Is the night train open to bicycles?")


def post(client: httpx.Client, url: str, question: dict[str, Any]) -> Any:
    """The decoded reply to a question."""
    reply = client.post(url, json=question)
    reply.raise_for_status()
    return reply.json()


def summarize_article(client: httpx.Client, article: str) -> str:
    """Three sentences for the front page."""
    messages = [{"role": "user", "content": f"Summarise in three sentences: {article}"}]
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    reply = post(client, url, {"model": "gpt-5-mini", "messages": messages})
    return str(reply["choices"][0]["message"]["content"])


def embed_text(client: httpx.Client, text: str) -> list[float]:
    """The vector of a text."""
    url = os.environ["OPENAI_BASE_URL"] + "/embeddings"
    reply = post(client, url, {"model": "text-embedding-3-small", "input": text})
    return [float(number) for number in reply["data"][0]["embedding"]]


def answer_letter(client: httpx.Client, letter: str) -> str:
    """An answer to a reader."""
    messages = [{"role": "user", "content": letter}]
    url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
    reply = post(client, url, {"model": "claude-sonnet-4-5", "max_tokens": 400, "messages": messages})
    return str(reply["content"][0]["text"])


def main() -> None:
    """The whole short morning."""
    with httpx.Client() as client:
        for article in ARTICLES:
            print(f"summary: {len(summarize_article(client, article).split())} words")
            print(f"vector: {len(embed_text(client, article))} numbers")
        for letter in LETTERS:
            print(f"reader: {letter} -> {len(answer_letter(client, letter).split())} words")


if __name__ == "__main__":
    main()
