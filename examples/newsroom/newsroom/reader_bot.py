"""The bot that answers readers' letters, and the triage of the letters that people should answer."""

from __future__ import annotations

import asyncio

from anthropic import Anthropic, AsyncAnthropic

HANDBOOK = "House rules for answers: be brief, be kind, name the page, never promise a correction."

LETTERS = (
    "Where can I see the crane at work?",
    "Is the night train open to bicycles?",
    "Your crossword of Tuesday had two solutions.",
    "Please send me the paper of last Saturday.",
    "You spelt my street wrong. Again.",
)


class ReaderBot:
    """Answers one reader; keeps the conversation, so that the handbook is read from the provider's cache."""

    def __init__(self, client: Anthropic) -> None:
        self.client = client

    def answer(self, letter: str) -> str:
        """An answer to one letter."""
        message = self.client.messages.create(
            model="claude-sonnet-4-5",
            max_tokens=400,
            system=[{"type": "text", "text": HANDBOOK, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": letter}],
        )
        return "".join(block.text for block in message.content if block.type == "text")


async def rate_letter(client: AsyncAnthropic, letter: str) -> str:
    """How upset a reader is, in one word."""
    words: list[str] = []
    async with client.messages.stream(
        model="claude-haiku-4-5",
        max_tokens=8,
        messages=[{"role": "user", "content": f"calm, annoyed or angry? {letter}"}],
    ) as stream:
        words.extend([text async for text in stream.text_stream])
    return "".join(words)


async def triage(client: AsyncAnthropic, letters: tuple[str, ...] = LETTERS) -> list[str]:
    """The mood of all letters, asked at the same time."""
    return list(await asyncio.gather(*(rate_letter(client, letter) for letter in letters)))
