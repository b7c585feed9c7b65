"""What is not billed by the token, priced by entries of the map and by made-up ones."""

from __future__ import annotations

from typing import Any

import pytest

from llmcost.calls import Usage
from llmcost.pricing import PriceBook, PriceRequest, PriceSources

BOOK = PriceBook(PriceSources(fill=False))
PIXELS = 1024 * 1024


@pytest.mark.parametrize(
    ("provider", "model", "usage", "expected"),
    [
        ("openai", "whisper-1", Usage(input_seconds=60), 60 * 0.0001),
        ("openai", "tts-1", Usage(input_characters=22), 22 * 1.5e-05),
        ("cohere", "rerank-v3.5", Usage(queries=2), 2 * 0.002),
        ("mistral_ai", "mistral-ocr-latest", Usage(pages=3), 3 * 0.004),
        ("mistral_ai", "mistral-ocr-latest", Usage(pages=3, annotated_pages=2), 3 * 0.004 + 2 * 0.005),
        ("openai", "sora-2", Usage(output_seconds=4), 4 * 0.1),
        ("azure.ai.openai", "dall-e-3", Usage(images=2, image_size="1024x1024", image_quality="hd"), 2 * PIXELS),
        ("openai", "gpt-image-1.5", Usage(images=1, image_size="1024x1024", image_quality="low"), 0.009),
        ("openai", "gpt-4.1", Usage(1_000, 100, web_searches=2), 1_000 * 2e-06 + 100 * 8e-06 + 2 * 0.025),
        ("openai", "gpt-4.1", Usage(0, 0, web_searches=1, search_context="high"), 0.025),
        ("openai", "gpt-5", Usage(0, 0, code_sessions=2, file_searches=4), 2 * 0.03 + 4 * 0.0025),
        ("gcp.gemini", "gemini-2.5-flash", Usage(0, 0, web_searches=5), 0.035),
        ("gcp.gemini", "gemini-3-flash-preview", Usage(0, 0, web_searches=5), 5 * 0.014),
        ("gcp.gemini", "gemini-2.5-flash", Usage(0, 0, map_searches=1), 0.025),
        ("perplexity", "pplx-70b-online", Usage(0, 100), 0.005 + 100 * 2.8e-06),
    ],
)
def test_units_of_the_map(provider: str, model: str, usage: Usage, expected: float) -> None:
    cost = BOOK.price(model, usage, provider=provider)
    if expected == 2 * PIXELS:
        expected *= BOOK.map.models["azure/hd/1024-x-1024/dall-e-3"]["input_cost_per_pixel"]
    assert cost.total == pytest.approx(expected, rel=1e-12)
    assert cost.status == "priced"
    assert (cost.prompt or 0) + (cost.completion or 0) + (cost.fees or 0) == pytest.approx(cost.total)


ROW: dict[str, Any] = {
    "input_cost_per_token": 1e-6,
    "output_cost_per_token": 2e-6,
    "input_cost_per_second": 0.01,
    "output_cost_per_image": 0.04,
    "output_cost_per_image_2K": 0.08,
    "output_cost_per_second": 0.1,
    "output_cost_per_second_1080p": 0.3,
    "input_cost_per_image": 0.002,
    "input_cost_per_video_per_second": 0.02,
    "mode": "chat",
}


def priced(usage: Usage, **fields: Any) -> float | None:
    entry = {name: value for name, value in {**ROW, **fields}.items() if value is not None}
    book = PriceBook(PriceSources(rows={"m": entry}, fill=False))
    return book.price_call(PriceRequest("acme", "m"), usage).total


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # Where tokens are told and priced they are billed, and what measures the same thing is not.
        (Usage(1_000, 0, input_seconds=60), 0.001),
        (Usage(1_000, 0, audio_input_tokens=1_000, input_seconds=60), 0.001),
        (Usage(None, 1_000, images=3), 0.002),
        (Usage(None, 0, input_seconds=60), 0.6),
        (Usage(None, 0, images=3), 0.12),
        (Usage(None, 0, images=1, image_size="2K"), 0.08),
        (Usage(None, 0, output_seconds=2), 0.2),
        (Usage(None, 0, output_seconds=2, video_resolution="1080P"), 0.6),
        (Usage(None, 0, input_images=2, video_input_seconds=3), 0.064),
    ],
)
def test_tokens_go_before_the_piece(usage: Usage, expected: float) -> None:
    assert priced(usage) == pytest.approx(expected, rel=1e-12)


def test_images_are_priced_by_the_pixel_where_there_is_no_price_a_piece() -> None:
    fields = {"output_cost_per_image": None, "output_cost_per_image_2K": None, "output_cost_per_pixel": 1e-8}
    assert priced(Usage(None, 0, images=2, image_size="100x50"), **fields) == pytest.approx(1e-4)


def test_a_fee_without_a_price_is_partial_and_named() -> None:
    cost = BOOK.price("gpt-5", Usage(1_000, 100, pages=3), provider="openai")
    assert cost.status == "partial"
    assert cost.total == pytest.approx(0.00225)
    assert cost.note == "no price for pages"
