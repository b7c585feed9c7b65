"""Short versions of articles for the front page and the newsletter."""

from __future__ import annotations

from openai import OpenAI

from newsroom.articles import Article

MODEL = "gpt-5-mini"


def summarize_article(client: OpenAI, article: Article) -> str:
    """Three sentences for the front page."""
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Summarise for a daily paper: three sentences, no opinion."},
            {"role": "user", "content": f"{article.title}\n\n{article.body}"},
        ],
    )
    return answer.choices[0].message.content or ""


def write_newsletter(client: OpenAI, summaries: list[str]) -> str:
    """The morning letter, made from the summaries."""
    answer = client.responses.create(
        model=MODEL,
        instructions="Write a friendly morning letter of at most 120 words.",
        input="\n\n".join(summaries),
    )
    return answer.output_text
