"""Background for a reporter: what the archive knows about a subject."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from openai import AsyncOpenAI

from newsroom.articles import Article

EMBEDDING_MODEL = "text-embedding-3-small"
ANSWER_MODEL = "gpt-5"


@dataclass(frozen=True)
class Passage:
    """An article of the archive with its vector."""

    article: Article
    vector: list[float]


async def embed_text(client: AsyncOpenAI, text: str) -> list[float]:
    """The vector of a text."""
    answer = await client.embeddings.create(model=EMBEDDING_MODEL, input=text)
    return answer.data[0].embedding


async def index_archive(client: AsyncOpenAI, articles: tuple[Article, ...]) -> list[Passage]:
    """Vectors of all articles, asked at the same time."""
    vectors = await asyncio.gather(*(embed_text(client, f"{item.title}. {item.body}") for item in articles))
    return [Passage(article, vector) for article, vector in zip(articles, vectors, strict=True)]


def similarity(one: list[float], other: list[float]) -> float:
    """Cosine of the angle between two vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


async def answer_question(client: AsyncOpenAI, question: str, index: list[Passage]) -> str:
    """An answer with its sources, from the three nearest articles."""
    wanted = await embed_text(client, question)
    nearest = sorted(index, key=lambda passage: similarity(passage.vector, wanted), reverse=True)[:3]
    sources = "\n".join(f"[{passage.article.slug}] {passage.article.body}" for passage in nearest)
    answer = await client.chat.completions.create(
        model=ANSWER_MODEL,
        max_completion_tokens=2000,
        messages=[
            {"role": "system", "content": "Answer from the sources only and name them."},
            {"role": "user", "content": f"{question}\n\n{sources}"},
        ],
    )
    return answer.choices[0].message.content or ""
