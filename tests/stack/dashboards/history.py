"""A made-up day of two services: calls shown to llmcost's real processors, exported with the time of the record.

What reaches Prometheus has the names, units, attributes and exemplars that llmcost gives; only clock and calls
are made up, and what the disk and the processor's time say of llmcost itself. The day has what dashboards must show:
busy and quiet hours, an incident (a section takes a dearer model), an outage of one provider, a model without a price,
refused calls and a shadow budget, images, speech and reranking, spans of others, and a disk that is full for a while.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from factories import a_call

from llmcost import semconv
from llmcost.calls import NOT_BILLED, UNPRICED, Attribution, Call, Cost, Usage

STEP_S: Final = 60
HOURS: Final = 24
NANO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its prices for a million tokens and for a call (USD), its speed, its provider and what it does."""

    name: str
    provider: str
    host: str
    price_in: float
    price_out: float
    tokens_a_second: float
    operation: str = "chat"
    fee: float = 0.0


MINI: Final = Model("gpt-5-mini", "openai", "api.openai.com", 0.25, 2.0, 110)
SONNET: Final = Model("claude-sonnet-4-5", "anthropic", "api.anthropic.com", 3.0, 15.0, 70)
SMALL: Final = Model("mistral-small-latest", "mistral_ai", "api.mistral.ai", 0.1, 0.3, 140)
EMBED: Final = Model("text-embedding-3-small", "openai", "api.openai.com", 0.02, 0.0, 5000, "embeddings")
IMAGE: Final = Model("gpt-image-1", "openai", "api.openai.com", 5.0, 40.0, 60, "image_generation")
SPEECH: Final = Model("whisper-1", "openai", "api.openai.com", 0.0, 0.0, 1, "audio_transcription", 0.006)
RANK: Final = Model("rerank-v3.5", "cohere", "api.cohere.com", 0.0, 0.0, 1, "rerank", 0.002)
NEW: Final = Model("orion-preview", "openai", "api.openai.com", 0.0, 0.0, 90)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a program: how often it calls (a minute, at the busiest), what, and with how many tokens."""

    service: str
    label: str
    model: Model
    calls: float
    input_tokens: int
    output_tokens: int
    stream: bool = False
    adopted: bool = False


SECTIONS: Final = (
    Section("newsroom", "summarization", MINI, 9, 2600, 220),
    Section("newsroom", "research", SONNET, 1.6, 7800, 640, stream=True),
    Section("newsroom", "classification", SMALL, 14, 500, 12),
    Section("newsroom", "embedding", EMBED, 11, 1400, 0),
    Section("newsroom", "reranking", RANK, 4, 0, 0),
    Section("newsroom", "illustration", IMAGE, 0.1, 120, 1056),
    Section("newsroom", "interviews", SPEECH, 0.3, 0, 0),
    Section("support-bot", "chat-answer", MINI, 7, 1800, 310, stream=True),
    Section("support-bot", "escalation", SONNET, 0.7, 5200, 420, stream=True, adopted=True),
    Section("support-bot", "translation", SMALL, 3, 700, 650),
    Section("support-bot", "experiment", NEW, 0.15, 900, 200),
    Section("support-bot", semconv.UNTRACKED, MINI, 0.5, 800, 120),
)
INCIDENT: Final = range(17 * 60, 20 * 60)
"""Minutes in which *summarization* takes the dear model."""
OUTAGE: Final = range(9 * 60, 9 * 60 + 40)
"""Minutes in which one provider answers with rate limits."""
DISK_FULL: Final = range(14 * 60, 15 * 60)
"""Minutes in which calls of one service wait for the disk of its local store."""
BUSY: Final = 13.0
"""The busiest hour of the day."""


_ATTRIBUTIONS: Final = {
    each: Attribution(
        each.label, "none" if each.label == semconv.UNTRACKED else "map", context={"tenant": each.service}
    )
    for each in SECTIONS
}


def refused(call: Call, budget: str) -> Call:
    """The call as it ends where a budget does not let it pass."""
    return replace(
        call,
        cost=NOT_BILLED,
        usage=Usage(),
        usage_estimated=False,
        duration=0.0004,
        status_code=402,
        stream=False,
        time_to_first_chunk=None,
        error_type="llmcost_budget_exceeded",
        budget_action="block",
        budget_name=budget,
    )


def of_a_user(call: Call) -> Call:
    """The call with a user of the bot, of whom a few talk much. Forecast and watch don't know them: the days before are
    one day over and over, to which nobody with a few calls is true."""
    number = random.Random(call.id).paretovariate(0.7)
    return replace(call, attribution=replace(call.attribution, user_id=f"user-{int(number)}"))


def _pace(minute: int) -> float:
    return 0.25 + 0.75 * (1 + math.cos((minute / 60 - BUSY) / 24 * 2 * math.pi)) / 2


@dataclass(slots=True)
class Day:
    """The day's calls, minute by minute; the same for the same seed."""

    start_ns: int
    incidents: bool = True
    source: random.Random = field(default_factory=lambda: random.Random(11))
    _number: int = 0

    def minute(self, minute: int) -> Iterator[tuple[str, Call]]:
        """The calls of a minute with the service that made them."""
        for section in SECTIONS:
            expected = section.calls * _pace(minute)
            for _ in range(int(expected) + (self.source.random() < expected % 1)):
                self._number += 1
                yield section.service, self._call(section, minute)

    def _call(self, section: Section, minute: int) -> Call:
        dearer = self.incidents and section.label == "summarization" and minute in INCIDENT
        model = SONNET if dearer else section.model
        common: dict[str, Any] = {
            "started_ns": self.start_ns + (minute * 60 + self.source.randrange(60)) * NANO,
            "operation": model.operation,
            "provider": model.provider,
            "request_model": model.name,
            "response_model": model.name,
            "server_address": model.host,
            "attribution": _ATTRIBUTIONS[section],
            "adopted": section.adopted,
        }
        outage = self.incidents and model is SMALL and minute in OUTAGE
        if self.source.random() < (0.35 if outage else 0.004):
            failed = {**common, "cost": NOT_BILLED, "usage": Usage(), "duration": 0.3, "status_code": 429}
            return a_call(self._number, **failed, error_type="rate_limit_exceeded")
        return self._answered(section, model, common)

    def _answered(self, section: Section, model: Model, common: dict[str, Any]) -> Call:
        scale = self.source.lognormvariate(0, 0.5)
        given = int(section.input_tokens * scale)
        taken = int(section.output_tokens * self.source.lognormvariate(0, 0.4))
        usage = Usage(
            given or None,
            taken or None,
            cache_read_tokens=given // 2 if section.stream else 0,
            reasoning_tokens=taken // 3 if model is MINI else 0,
        )
        first = 0.2 + given / 20_000 * self.source.lognormvariate(0, 0.3)
        estimated = section.stream and self.source.random() < 0.02
        return a_call(
            self._number,
            **common,
            usage=usage,
            usage_estimated=estimated,
            cost=_cost(model, usage, model.fee * scale, estimated=estimated),
            duration=first + taken / model.tokens_a_second,
            stream=section.stream,
            chunks=max(2, taken // 4) if section.stream else 0,
            time_to_first_chunk=first if section.stream else None,
        )


def _cost(model: Model, usage: Usage, fee: float, *, estimated: bool) -> Cost:
    if model is NEW:
        return UNPRICED
    cached = usage.cache_read_tokens
    read = cached * model.price_in / 10 / 1e6
    given = ((usage.input_tokens or 0) - cached) * model.price_in / 1e6 + read
    taken = (usage.output_tokens or 0) * model.price_out / 1e6
    reasoning = usage.reasoning_tokens * model.price_out / 1e6
    return Cost(
        "estimated" if estimated else "priced",
        given + taken + fee,
        given,
        taken,
        fee,
        model.name,
        "litellm",
        "2026-11-01",
        {"input": given - read, "cache_read": read} if cached else {"input": given},
        {"output": taken - reasoning, "reasoning": reasoning} if reasoning else {"output": taken},
    )
