"""Topics and places of articles, for the archive's index."""

from __future__ import annotations

from newsroom.articles import Article
from newsroom.service import LLMService


def classify_topic(service: LLMService, article: Article) -> str:
    """One topic out of the archive's list."""
    return service.generate(f"One of: traffic, culture, schools, harbour. Which fits?\n{article.title}")


def extract_places(service: LLMService, article: Article) -> list[str]:
    """The places that an article names."""
    answer = service.generate(f"List the places, comma separated:\n{article.body}")
    return [place.strip() for place in answer.split(",") if place.strip()]
