"""Settings: who wins, and that what is wrong is said in one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmcost import config
from llmcost.errors import ConfigError


def load(folder: Path, text: str = "", environ: dict[str, str] | None = None, **arguments: object) -> config.Config:
    (folder / "llmcost.toml").write_text(text, encoding="utf-8")
    return config.load(arguments, environ=environ or {}, directory=folder)


def test_arguments_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    text = 'http_spans = "on"\ndefault_label = "file"\nservice_name = "file"\n'
    env = {"LLMCOST_HTTP_SPANS": "off", "LLMCOST_LABEL": "environment"}
    found = load(tmp_path, text, env, default_label="argument")
    assert (found.default_label, found.http_spans, found.service_name) == ("argument", "off", "file")
    assert found.metrics is True
    assert found.root == tmp_path


def test_a_table_of_pyproject_is_read_and_found_upwards(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.llmcost]\nservice_name = "shop"\n', encoding="utf-8")
    below = tmp_path / "src" / "shop"
    below.mkdir(parents=True)
    assert config.load(environ={}, directory=below).service_name == "shop"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('storee = "x"', "llmcost.toml: storee: unknown setting"),
        ('http_spans = "maybe"', "llmcost.toml: http_spans: 'maybe' is none of keep, on, off"),
        ("map_path = 3", "llmcost.toml: map_path: expected a path, got 3"),
        ('price_map = "nowhere.json"', "llmcost.toml: price_map: no such file: "),
        ('hosts = "x"', "llmcost.toml: hosts: expected a table, got 'x'"),
        ("service_name = 1", "llmcost.toml: service_name: expected text, got 1"),
        ('metrics = "perhaps"', "llmcost.toml: metrics: 'perhaps' is neither on nor off"),
        ('profiles = ["nobody"]', "llmcost.toml: profiles: 'nobody' is none of openlit, logfire, langfuse, otel-draft"),
        ("[anomalies]\nseverity = 1", "llmcost.toml: anomalies.severity: unknown setting"),
        (
            '[anomalies]\nsensitivity = "some"',
            "llmcost.toml: anomalies.sensitivity: 'some' is none of low, medium, high",
        ),
        ("[anomalies]\nat_least = -1", "llmcost.toml: anomalies.at_least: -1 is no amount of USD"),
        ('[anomalies]\nwebhook = "ftp://x"', "llmcost.toml: anomalies.webhook: expected an address that begins with"),
        ("= 1", "llmcost.toml: "),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variable_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LLMCOST_HTTP_SPANS: 'x' is none of"):
        load(tmp_path, environ={"LLMCOST_HTTP_SPANS": "x"})


@pytest.mark.parametrize(
    ("value", "expected"), [("off", None), ("0", None), ("auto", "auto"), ("on", ".llmcost"), ("data", "data")]
)
def test_the_store_is_a_folder_or_on_or_off(tmp_path: Path, value: str, expected: str | None) -> None:
    found = load(tmp_path, f'store = "{value}"').store
    assert found == (tmp_path / expected if expected not in (None, "auto") else expected)
