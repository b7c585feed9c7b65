"""Which requests are calls of a model, and of whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmcost.errors import ConfigError
from llmcost.providers import Endpoint, registry

CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}'


def find(method: str, url: str, hosts: dict[str, str] | None = None) -> Endpoint | None:
    scheme_less = url.split("://")[1]
    address, _, path = scheme_less.partition("/")
    host, _, port = address.partition(":")
    return registry(hosts).endpoint(method, host, int(port) if port else None, f"/{path}")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/files",
        "https://api.openai.com/v1/batches",
        "https://api.openai.com/v1/vector_stores",
        "https://api.openai.com/v1/vector_stores/vs_1/search",
        "https://api.openai.com/v1/fine_tuning/jobs",
        "https://api.openai.com/v1/responses/resp_1/cancel",
        "https://api.openai.com/v1/responses/input_tokens",
        "https://api.openai.com/v1/realtime/sessions",
        "https://api.openai.com/v1/threads/thread_1/messages",
        "https://api.anthropic.com/v1/messages/count_tokens",
        "https://api.anthropic.com/v1/messages/batches",
        "https://api.anthropic.com/v1/files",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:countTokens",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:batchGenerateContent",
        "https://generativelanguage.googleapis.com/v1beta/cachedContents",
        "https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
        "https://api.cohere.com/v1/tokenize",
        "https://example.com/api/search",
        "https://example.com/",
        "http://localhost:11434/api/tags",
    ],
)
def test_other_requests_are_no_calls(url: str) -> None:
    assert find("POST", url) is None


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_only_posts_are_calls(method: str) -> None:
    assert find(method, "https://api.openai.com/v1/chat/completions") is None


def test_a_stored_response_is_polled_not_called() -> None:
    endpoint = find("GET", "https://api.openai.com/v1/responses/resp_1")
    assert endpoint is not None
    assert endpoint.poll
    called = find("POST", "https://api.openai.com/v1/responses")
    assert called is not None
    assert not called.poll


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://eu.api.openai.com/v1/chat/completions", "openai"),
        ("https://API.OpenAI.com/v1/chat/completions?x=1", "openai"),
        ("https://me.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "azure.ai.openai"),
        ("https://me.services.ai.azure.com/openai/v1/chat/completions", "azure.ai.openai"),
        ("https://me.services.ai.azure.com/models/chat/completions", "azure.ai.inference"),
        ("https://api.eu.mistral.ai/v1/chat/completions", "mistral_ai"),
        ("https://api.fireworks.ai/inference/v1/chat/completions", "fireworks_ai"),
        ("https://integrate.api.nvidia.com/v1/chat/completions", "nvidia"),
        ("https://router.huggingface.co/together/v1/chat/completions", "huggingface"),
        ("https://api.deepinfra.com/v1/openai/chat/completions", "deepinfra"),
        ("http://ollama.internal:11434/v1/chat/completions", "ollama"),
    ],
)
def test_hosts_name_their_provider(url: str, provider: str) -> None:
    endpoint = find("POST", url)
    assert endpoint is not None
    assert (endpoint.provider, endpoint.certain) == (provider, True)


def test_a_lookalike_of_a_host_is_not_the_provider() -> None:
    endpoint = find("POST", "https://api.openai.com.evil.example/v1/chat/completions")
    assert endpoint is not None
    assert not endpoint.certain
    assert find("POST", "https://openai.azure.com/openai/deployments/d/embed") is None


def test_an_unknown_host_needs_path_and_body_of_the_shape() -> None:
    endpoint = find("POST", "http://gateway.internal/v1/chat/completions")
    assert endpoint is not None
    assert not endpoint.certain
    assert endpoint.read_request("/v1/chat/completions", {}, CHAT) is not None
    assert endpoint.read_request("/v1/chat/completions", {}, b'{"text": "x"}') is None
    assert endpoint.read_request("/v1/chat/completions", {}, b"not json") is None
    assert endpoint.read_request("/v1/chat/completions", {}, b"") is None


def test_azure_behind_a_host_of_ones_own() -> None:
    path = "/openai/deployments/my-gpt/chat/completions"
    endpoint = find("POST", f"https://apim.corp.example{path}?api-version=1")
    assert endpoint is not None
    facts = endpoint.read_request(path, {}, b'{"messages": []}')
    assert facts is not None
    assert (endpoint.provider, facts.model) == ("azure.ai.openai", "my-gpt")


def test_a_known_host_is_believed_without_a_body() -> None:
    endpoint = find("POST", "https://api.openai.com/v1/chat/completions")
    assert endpoint is not None
    facts = endpoint.read_request("/v1/chat/completions", {}, b"")
    assert facts is not None
    assert facts.model is None


def test_the_users_hosts_win() -> None:
    hosts = {"llm.corp.example": "anthropic", "localhost:8000": "groq"}
    endpoint = find("POST", "https://llm.corp.example/v1/messages", hosts)
    assert endpoint is not None
    assert (endpoint.provider, endpoint.certain) == ("anthropic", True)
    endpoint = find("POST", "https://llm.corp.example/proxy/v1/chat/completions", hosts)
    assert endpoint is not None
    assert (endpoint.provider, endpoint.name) == ("anthropic", "openai.chat")
    endpoint = find("POST", "http://localhost:8000/v1/chat/completions", hosts)
    assert endpoint is not None
    assert endpoint.provider == "groq"
    endpoint = find("POST", "http://localhost:8001/v1/chat/completions", hosts)
    assert endpoint is not None
    assert endpoint.provider == "openai"


MADE_UP = """
name = "made_up"
hosts = ["llm.made-up.example"]

[[route]]
path = "/speak/{model}"
shape = "speak"

[shape.speak]
operation = "chat"
merge = { "cost.words" = "sum", "cost.heard" = "max" }

[shape.speak.request]
max_tokens = ["limit"]

[shape.speak.response]
id = ["ticket"]
usage = ["cost"]

[shape.speak.usage]
input_tokens = ["heard"]
output_tokens = ["words"]

[shape.speak.stream]
lines = true
end = ['"over"']
watch = ["cost"]
"""


def test_a_made_up_provider_needs_a_toml_alone(tmp_path: Path) -> None:
    from llmcost.exchange.reading import Reading

    path = tmp_path / "made_up.toml"
    path.write_text(MADE_UP.replace("cost.words", "words").replace("cost.heard", "heard"), encoding="utf-8")
    endpoint = registry(extra=(path,)).endpoint("POST", "llm.made-up.example", None, "/speak/parrot%3A1")
    assert endpoint is not None
    request = endpoint.read_request("/speak/parrot%3A1", {}, b'{"limit": 9}')
    assert request is not None
    assert (request.model, request.max_tokens) == ("parrot:1", 9)
    reading = Reading(endpoint, request, 200, {"content-type": "application/jsonl"})
    reading.feed(b'{"ticket": "t1", "cost": {"heard": 7, "words": 2}}\n{"cost": {"heard": 5, "words": 3}}\n"over"\n')
    facts = reading.facts()
    assert facts.id == "t1"
    assert facts.usage is not None
    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (7, 5)
    assert reading.done


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('shape = "speak"', 'shape = "sing"', "unknown shape 'sing'"),
        ('words"]', 'words"]\nsyllables = ["x"]', "unknown key 'syllables'"),
        ('operation = "chat"', 'operation = "chat"\nfunction = "magic"', "unknown function 'magic'"),
        ('name = "made_up"', "name = ", "made_up.toml"),
    ],
)
def test_a_faulty_toml_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "made_up.toml"
    path.write_text(MADE_UP.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        registry(extra=(path,))


def test_every_called_shape_can_be_refused() -> None:
    made = registry()
    made.load()
    for url in (
        "https://api.openai.com/v1/chat/completions",
        "https://api.openai.com/v1/responses",
        "https://api.anthropic.com/v1/messages",
        "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent",
        "https://api.cohere.com/v2/chat",
        "http://localhost:11434/api/chat",
    ):
        endpoint = find("POST", url)
        assert endpoint is not None
        assert "$message" in str(endpoint.shape.refusal)
