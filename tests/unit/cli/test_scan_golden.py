"""What a scan prints, whole: at 80 columns without colour, with what the sections have cost, and as JSON."""

import io
from pathlib import Path

import pytest
from analyzer_projects import write
from factories import a_call
from stores import filled

from llmcost.calls import Cost
from llmcost.cli import main

GOLDEN = Path(__file__).parents[2] / "golden" / "analyzer"
PROJECT = {
    "news/service.py": (
        "from openai import OpenAI\n\n\nclass LLMService:\n    def __init__(self):\n        self.client = OpenAI()\n\n"
        "    def generate(self, prompt):\n        return self.client.chat.completions.create(\n"
        "            model='gpt-5-mini', messages=[{'role': 'user', 'content': prompt}]\n        )\n"
    ),
    "news/a_module_with_quite_a_long_name/summaries_of_the_articles.py": (
        "from news.service import LLMService\n\n\n"
        "def summarize_article_for_the_front_page(service: LLMService, text):\n"
        "    '''Summarize an article in three sentences.'''\n"
        "    return service.generate(f'Summarize this article in three sentences: {text}')\n"
    ),
    "news/letters.py": (
        "import asyncio\n\nfrom anthropic import AsyncAnthropic\n\nclient = AsyncAnthropic()\n\n\n"
        "async def analyze_sentiment(letter):\n    return await client.messages.create(\n"
        "        model='claude-haiku-4-5', max_tokens=8,\n"
        "        messages=[{'role': 'user', 'content': f'Classify the sentiment of the review: {letter}'}],\n    )\n"
        "\n\n"
        "async def analyze_sentiment_of_all(letters):\n"
        "    return await asyncio.gather(*(analyze_sentiment(letter) for letter in letters))\n"
    ),
    "news/broken.py": "def (:\n",
}


def said(*arguments: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    assert main(list(arguments), out, err) == 0, err.getvalue()
    assert not err.getvalue()
    return out.getvalue()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(write(tmp_path, PROJECT))
    return tmp_path


@pytest.mark.usefixtures("project")
def test_terminal() -> None:
    text = said("scan")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert text == (GOLDEN / "scan-80.txt").read_text("utf-8")


def test_terminal_with_a_store(project: Path) -> None:
    calls = [a_call(n, label="summarization", cost=Cost("priced", 0.25, 0.05, 0.2, 0.0)) for n in range(3)]
    filled(project / ".llmcost", calls)
    text = said("scan")
    assert max(map(len, text.splitlines())) <= 80
    assert text == (GOLDEN / "scan-80-with-costs.txt").read_text("utf-8")


@pytest.mark.usefixtures("project")
def test_json() -> None:
    assert said("scan", "--json") == (GOLDEN / "scan.json").read_text("utf-8")
