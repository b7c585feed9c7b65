"""Whether one model can take another's place, by what the price map says of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from llmcost.pricing import PriceBook, PriceRequest

_CAPABILITIES: Final[Mapping[str, str]] = {
    "supports_function_calling": "it has no tools",
    "supports_vision": "it reads no images",
    "supports_pdf_input": "it reads no PDF files",
    "supports_audio_input": "it hears no audio",
    "supports_response_schema": "it keeps to no schema",
}
"""What the map says of a model that can do something, and what to say of a fallback that cannot."""

_SIZES: Final[Mapping[str, str]] = {
    "max_input_tokens": "its context is smaller",
    "max_output_tokens": "its output is smaller",
}


class MapModels:
    """The :class:`~llmcost.control.tables.Models` of a price book."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    def known(self, model: str) -> bool:
        """Whether the model has a price."""
        return self._entry(model) is not None

    def unfit(self, model: str, fallback: str) -> str | None:
        """Why the fallback cannot take the model's place; None where it can, or where the map says nothing."""
        wanted, offered = self._entry(model) or {}, self._entry(fallback) or {}
        if _family(wanted) and _family(offered) and _family(wanted) != _family(offered):
            return f"it is of another provider ({_family(offered)}, not {_family(wanted)})"
        if wanted.get("mode") != offered.get("mode"):
            return f"it is for {offered.get('mode')}, not for {wanted.get('mode')}"
        for key, reason in _CAPABILITIES.items():
            if wanted.get(key) and not offered.get(key):
                return reason
        for key, reason in _SIZES.items():
            most, least = wanted.get(key), offered.get(key)
            if isinstance(most, int) and isinstance(least, int) and least < most:
                return f"{reason} ({least:,} of {most:,} tokens)"
        return None

    def _entry(self, model: str) -> Mapping[str, Any] | None:
        price = self._book.find(PriceRequest(provider=None, response_model=None, request_model=model))
        return None if price is None else price.entry


def _family(entry: Mapping[str, Any]) -> str:
    """The provider without the map's own suffixes: ``bedrock`` of ``bedrock_converse``."""
    return re.split(r"[_-]", str(entry.get("litellm_provider") or ""))[0]
