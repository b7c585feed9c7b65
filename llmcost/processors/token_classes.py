"""A call's tokens and money by class, such that the classes add up."""

from __future__ import annotations

from collections.abc import Iterator

from llmcost.calls import Cost, Usage

_NOTHING = 0.0


def token_classes(usage: Usage, cost: Cost) -> Iterator[tuple[str, int, float]]:
    """Class, tokens and USD. Classes without tokens are left out; money is 0 where no price is known.

    Cached input, written input and reasoning stand apart, so that ``input`` is what was read anew and ``output`` what
    is shown. Audio, images and video are within ``input`` and ``output``.
    """
    read, written, reasoning = usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens
    prompt, completion = cost.prompt or _NOTHING, cost.completion or _NOTHING
    if read:
        usd = cost.prompt_details.get("cache_read", _NOTHING)
        prompt -= usd
        yield "cache_read", read, usd
    if written:
        usd = cost.prompt_details.get("cache_write", _NOTHING)
        prompt -= usd
        yield "cache_write", written, usd
    if usage.input_tokens:
        yield "input", usage.input_tokens - read - written, max(prompt, _NOTHING)
    if reasoning:
        usd = cost.completion_details.get("reasoning", _NOTHING)
        completion -= usd
        yield "reasoning", reasoning, usd
    if usage.output_tokens:
        yield "output", usage.output_tokens - reasoning, max(completion, _NOTHING)
