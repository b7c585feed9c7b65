"""Text that appears while it is written: teasers on the site, captions on the screen in the hall."""

from __future__ import annotations

from collections.abc import Iterator

from openai import OpenAI

from newsroom.articles import Article

MODEL = "gpt-4.1-mini"


def stream_teaser(client: OpenAI, article: Article) -> Iterator[str]:
    """A teaser, piece by piece."""
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"One teaser line for: {article.title}"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def stream_caption(client: OpenAI, article: Article) -> Iterator[str]:
    """A caption for the screen in the hall, piece by piece."""
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"A caption of eight words for: {article.title}"}],
        stream=True,
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content
