"""One morning at the desk: ``python -m newsroom``."""

from __future__ import annotations

import asyncio

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from newsroom.articles import ARCHIVE, TODAY
from newsroom.live import stream_caption, stream_teaser
from newsroom.reader_bot import LETTERS, ReaderBot, triage
from newsroom.research import answer_question, index_archive
from newsroom.service import LLMService
from newsroom.summaries import summarize_article, write_newsletter
from newsroom.tagging import classify_topic, extract_places

QUESTIONS = ("How old is the crane?", "Why did the sleepers stop?")


def front_page(client: OpenAI) -> None:
    """Summaries, the newsletter, teasers and captions."""
    summaries = [summarize_article(client, article) for article in TODAY]
    print(f"newsletter: {len(write_newsletter(client, summaries).split())} words")
    for article in TODAY:
        print(f"teaser: {''.join(stream_teaser(client, article))}")
    print(f"caption: {''.join(stream_caption(client, TODAY[0]))}")


def archive(service: LLMService) -> None:
    """Topics and places of today's articles."""
    for article in TODAY:
        topic = classify_topic(service, article)
        print(f"{article.slug}: {topic}, {len(extract_places(service, article))} places")


def letters(client: Anthropic) -> None:
    """Answers to all letters."""
    bot = ReaderBot(client)
    for letter in LETTERS:
        print(f"reader: {letter} -> {len(bot.answer(letter).split())} words")


async def background() -> None:
    """Research for two questions, and the mood of the letters."""
    async with AsyncOpenAI() as openai_client, AsyncAnthropic() as anthropic_client:
        index = await index_archive(openai_client, ARCHIVE)
        answers = await asyncio.gather(*(answer_question(openai_client, question, index) for question in QUESTIONS))
        moods = await triage(anthropic_client)
    print(f"research: {len(answers)} answers from {len(index)} articles; letters: {', '.join(moods)}")


def main() -> None:
    """The whole morning."""
    with OpenAI() as openai_client, Anthropic() as anthropic_client:
        front_page(openai_client)
        archive(LLMService(openai_client))
        letters(anthropic_client)
    asyncio.run(background())


if __name__ == "__main__":
    main()
