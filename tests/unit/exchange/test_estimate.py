"""Tokens from text."""

from __future__ import annotations

import pytest

from llmcost.calls import Usage
from llmcost.exchange.estimate import CHARACTERS_PER_TOKEN, TokenRates
from llmcost.providers import RequestFacts, ResponseFacts


def asked(characters: int, model: str | None = "m") -> RequestFacts:
    body = b'{"prompt":"%s"}' % (b"x y " * characters)[:characters] if characters else b"{}"
    return RequestFacts(model=model, body=body)


def answered(usage: Usage | None = None, characters: int = 0) -> ResponseFacts:
    return ResponseFacts(usage=usage, output_characters=characters)


def teach(rates: TokenRates, usage: Usage, prompt: int, completion: int, times: int = 5, model: str = "m") -> None:
    for _ in range(times):
        rates.learn(asked(prompt, model), answered(usage), lambda: completion)


def estimate(rates: TokenRates, prompt: int, completion: int, model: str | None = "m") -> Usage | None:
    return rates.estimate(asked(prompt, model), answered(characters=completion))


def test_an_unknown_model_has_the_constant_rate() -> None:
    expected = Usage(int(400 / CHARACTERS_PER_TOKEN), int(40 / CHARACTERS_PER_TOKEN))
    assert estimate(TokenRates(), 400, 40) == expected
    assert estimate(TokenRates(), 400, 40, model=None) == expected


def test_a_text_that_is_not_empty_is_never_free() -> None:
    assert estimate(TokenRates(), 1, 1) == Usage(1, 1)


def test_without_text_there_is_no_estimate() -> None:
    assert estimate(TokenRates(), 0, 0) is None


def test_rates_are_learnt_for_each_model() -> None:
    rates = TokenRates()
    teach(rates, Usage(100, 50), 200, 300)
    assert estimate(rates, 1_000, 600) == Usage(500, 100)
    assert estimate(rates, 1_000, 600, model="other") == Usage(250, 150)


def test_the_answers_model_wins_over_the_one_asked_for() -> None:
    rates = TokenRates()
    for _ in range(5):
        rates.learn(asked(200, "alias"), ResponseFacts(model="real", usage=Usage(100, 100)), lambda: 200)
    assert rates.estimate(asked(400, "alias"), ResponseFacts(model="real")) == Usage(200, 0)
    assert estimate(rates, 400, 0, model="alias") == Usage(100, 0)


def test_one_odd_call_does_not_decide() -> None:
    rates = TokenRates()
    teach(rates, Usage(1, 1), 10_000, 10_000, times=1)
    assert estimate(rates, 400, 400) == Usage(100, 100)


def test_tokens_that_are_no_text_teach_nothing() -> None:
    rates = TokenRates()
    teach(rates, Usage(1_100, 50, image_input_tokens=1_000), 200, 100)
    assert estimate(rates, 400, 0) == Usage(200, 0)


@pytest.mark.parametrize("usage", [Usage(), Usage(0, 0), Usage(10, None, audio_input_tokens=10)])
def test_calls_that_state_nothing_teach_nothing(usage: Usage) -> None:
    rates = TokenRates()
    teach(rates, usage, 100, 100)
    assert estimate(rates, 400, 400) == Usage(100, 100)


def test_a_cut_response_keeps_what_it_stated() -> None:
    stated = Usage(input_tokens=700, output_tokens=1, cache_read_tokens=500)
    assert TokenRates().estimate(asked(4), answered(stated, 400)) == Usage(700, 100, cache_read_tokens=500)
    assert TokenRates().estimate(asked(400), answered(Usage(output_tokens=50), 4)) == Usage(100, 50)


def test_most_calls_of_a_busy_model_are_not_measured() -> None:
    rates, measured = TokenRates(), [0]

    def measure() -> int:
        measured[0] += 1
        return 100

    for _ in range(160):
        rates.learn(asked(100), answered(Usage(10, 10)), measure)
    assert measured == [16 + 2]


def test_the_table_is_bounded() -> None:
    rates = TokenRates()
    for number in range(1_000):
        teach(rates, Usage(100, 100), 200, 200, model=f"m{number}")
    assert estimate(rates, 400, 400, model="m999") == Usage(200, 200)
    assert estimate(rates, 400, 400, model="m0") == Usage(100, 100)


def test_a_form_is_no_text() -> None:
    assert RequestFacts(body=b'--X\r\nname="model"\r\n\r\nwhisper').input_characters == 0
