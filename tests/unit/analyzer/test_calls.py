"""How clients are reached, one small program a way; ``tests/fixtures/analyzer`` holds the programs."""

from pathlib import Path

import pytest
from analyzer_projects import found

from llmcost.providers import hosts
from llmcost_analyzer.http import is_model_address

PROGRAMS = Path(__file__).resolve().parents[2] / "fixtures" / "analyzer"


def programs(group: str) -> list[Path]:
    return sorted((PROGRAMS / group).glob("*.py"))


@pytest.mark.parametrize("program", programs("direct"), ids=lambda path: path.stem)
def test_a_direct_call_is_found(tmp_path: Path, program: Path) -> None:
    assert found(tmp_path, {"app.py": program.read_text(encoding="utf-8")})["f"].call_sites


@pytest.mark.parametrize("program", programs("on_self"), ids=lambda path: path.stem)
def test_a_client_on_self_is_followed(tmp_path: Path, program: Path) -> None:
    assert found(tmp_path, {"app.py": program.read_text(encoding="utf-8")})["A.f"].call_sites


@pytest.mark.parametrize("program", programs("none"), ids=lambda path: path.stem)
def test_what_is_no_call_is_left_out(tmp_path: Path, program: Path) -> None:
    assert found(tmp_path, {"app.py": program.read_text(encoding="utf-8")}) == {}


@pytest.mark.parametrize(
    ("address", "operation"),
    [
        ("https://api.openai.com/v1/chat/completions", "chat"),
        ("https://api.openai.com/v1/audio/transcriptions", "transcription"),
        ("https://api.openai.com/v1/images/generations", "image_generation"),
        ("https://api.elevenlabs.io/v1/text-to-speech/voice", "speech"),
        ("http://localhost:11434/api/embed", "embeddings"),
        ("https://api.jina.ai/v1/rerank", "rerank"),
    ],
)
def test_the_path_of_a_request_says_what_it_does(tmp_path: Path, address: str, operation: str) -> None:
    code = f'import requests\nURL = "{address}"\ndef f(body):\n    return requests.post(URL, json=body)\n'
    assert [site.operation for site in found(tmp_path, {"app.py": code})["f"].call_sites] == [operation]


def test_an_address_made_from_another_is_followed(tmp_path: Path) -> None:
    code = """
import requests
CHAT = "https://gateway.example/v1/chat/completions"
def f(body):
    return requests.post(CHAT.replace("chat/completions", "audio/transcriptions"), files=body)
"""
    assert [site.operation for site in found(tmp_path, {"app.py": code})["f"].call_sites] == ["transcription"]


def test_what_sends_to_addresses_of_several_kinds_is_a_chat(tmp_path: Path) -> None:
    code = """
import requests
def send(path, body):
    return requests.post("http://localhost:11434" + path, json=body)
def ask(body):
    return send("/api/chat", body)
def embed(body):
    return send("/api/embed", body)
def embed_old(body):
    return send("/api/embeddings", body)
"""
    assert [site.operation for site in found(tmp_path, {"app.py": code})["send"].call_sites] == ["chat"]


def test_hosts_of_the_providers_are_written_once() -> None:
    known = [host for host in hosts() if "*" not in host]
    assert len(known) > 80
    assert [host for host in known if not is_model_address(f"https://{host}/v1/anything")] == []
    assert not is_model_address("https://example.com/v1/anything")
