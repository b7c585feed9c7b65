"""Tokens from text, where a response does not state its usage.

The rate of characters a token is learnt for each model from its calls that do state it. It is the median of the last
calls, with two made-up ones at :data:`CHARACTERS_PER_TOKEN`, so that one odd call does not decide. How far the
estimates are off is told in ``docs/explanation/estimates.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from llmcost.calls import NO_USAGE, Usage
from llmcost.lean import dataclass
from llmcost.providers import RequestFacts, ResponseFacts

CHARACTERS_PER_TOKEN: Final = 4.0
"""The rate of a model that nothing was learnt about."""

_PRIOR: Final = (CHARACTERS_PER_TOKEN, CHARACTERS_PER_TOKEN)
_LAST: Final = 32
_MODELS: Final = 256
_EAGER: Final = 16
_EVERY: Final = 64
_LEAST: Final = 0.05
_SHORT: Final = 60


@dataclass(frozen=True, slots=True)
class _Rates:
    """Characters a token of the last measured calls of one model."""

    prompt: tuple[float, ...] = ()
    completion: tuple[float, ...] = ()


_UNKNOWN: Final = _Rates()


class TokenRates:
    """Learns from calls with usage, estimates calls without. Holds at most 256 models; the oldest one goes first.

    Takes no lock: a model's rates are replaced as a whole, and a lost observation does not matter.
    """

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}
        self._rates: dict[str, _Rates] = {}

    def learn(self, request: RequestFacts, facts: ResponseFacts, measure: Callable[[], int]) -> None:
        """Take note of a call that states its usage.

        Measuring the text costs more than the rest of reading a call, so only the first calls of a model and then one
        in 64 are measured.

        Args:
            request: what was asked.
            facts: what was answered; tokens that are no text are left out.
            measure: gives the length of the answer, when it is wanted.
        """
        model, usage = facts.model or request.model, facts.usage
        if model is None or usage is None:
            return
        calls = self._calls.get(model, 0)
        if model not in self._calls and len(self._calls) >= _MODELS:
            self._forget()
        self._calls[model] = calls + 1
        if calls >= _EAGER and calls % _EVERY:
            return
        rates = self._rates.get(model, _UNKNOWN)
        inputs = (usage.input_tokens or 0) - usage.audio_input_tokens - usage.image_input_tokens
        outputs = (usage.output_tokens or 0) - usage.audio_output_tokens - usage.image_output_tokens
        self._rates[model] = _Rates(
            _noted(rates.prompt, request.input_characters, inputs - usage.video_input_tokens),
            _noted(rates.completion, measure(), outputs),
        )

    def estimate(self, request: RequestFacts, facts: ResponseFacts) -> Usage | None:
        """The usage by the length of prompt and answer; None where there is no text to go by.

        Of a response that was cut, the stated input stands, and the stated output is a lower bound.
        """
        stated = facts.usage or NO_USAGE
        rates = self._rates.get(facts.model or request.model or "", _UNKNOWN)
        inputs = stated.input_tokens
        if inputs is None:
            inputs = _tokens(request.input_characters, rates.prompt)
        outputs = max(_tokens(facts.output_characters, rates.completion), stated.output_tokens or 0)
        if not inputs and not outputs:
            return facts.usage
        return replace(stated, input_tokens=inputs, output_tokens=outputs)

    def _forget(self) -> None:
        """Drop the model that was learnt first."""
        for oldest in list(self._calls)[:1]:
            self._calls.pop(oldest, None)
            self._rates.pop(oldest, None)


def _noted(rates: tuple[float, ...], characters: int, tokens: int) -> tuple[float, ...]:
    """The last rates and a new one; a short text tells little, since names and marks around it are tokens too."""
    return (*rates, characters / tokens)[-_LAST:] if tokens > 0 and characters > _SHORT else rates


def _tokens(characters: int, rates: tuple[float, ...]) -> int:
    """Tokens of a text; a text that is not empty has at least one."""
    if characters <= 0:
        return 0
    from statistics import median  # an estimate is rare, and the module slow to import

    return max(1, round(characters / max(_LEAST, median((*rates, *_PRIOR)))))
