"""Wrong settings: what stands in a file, a variable or an argument is taken, or it is one line that names it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmcost import config
from llmcost.config import Config
from llmcost.errors import ConfigError
from llmcost.providers import registry
from llmcost.runtime import price_book

SAMPLE: Final = tomllib.loads(
    (Path(__file__).resolve().parents[2] / "docs/reference/llmcost.toml").read_text(encoding="utf-8")
)
KEYS: Final = sorted({*SAMPLE, "ledger", "price_map", "run_id"})
"""Those that the sample has commented out are settings, too."""

VARIABLES: Final = {
    "LLMCOST_HTTP_SPANS": ("maybe",),
    "LLMCOST_STREAM_USAGE": ("maybe",),
    "LLMCOST_METRICS": ("maybe", "2"),
    "LLMCOST_METRIC_USERS": ("maybe", "-1", "1001", "1.5", "\u0663"),
    "LLMCOST_FORESIGHT": ("maybe",),
    "LLMCOST_PRICE_MAP": ("nowhere.json", "\0"),
    "LLMCOST_PROFILES": ("maybe", "openlit,maybe"),
    "LLMCOST_LEDGER": ("nowhere", "file.db"),
    "LLMCOST_MAP": ("\0",),
    "LLMCOST_STORE": ("\0",),
    "LLMCOST_CONFIG": ("nowhere.toml", "\0"),
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": ("maybe",),
}
"""Each variable with values that it can't have. ``LLMCOST_LABEL`` and ``LLMCOST_RUN_ID`` are any text."""

SCALARS: Final = (0, 5, 1.5, True, date(2026, 1, 31), "text", "")
SHAPES: Final[tuple[Any, ...]] = (*SCALARS, [], [5], ["text"], [[]], {}, {"a": 5}, {"a": "text"}, {"a": {"b": 5}})

TAKES: Final[Mapping[str, tuple[Any, ...]]] = {
    "endpoint": ("text",),
    "service_name": ("text", ""),
    "default_label": ("text", ""),
    "run_id": ("text", ""),
    "http_spans": (),
    "stream_usage": (),
    "capture_content": (),
    "metrics": (True,),
    "metric_users": (0, 5),
    "store": ("text", "", True),
    "map_path": ("text", ""),
    "price_map": ("",),
    "profiles": ("", []),
    "second_door": ("text", "", [], ["text"]),
    "headers": ({}, {"a": "text"}),
    "hosts": ({},),
    "deployments": ({}, {"a": "text"}),
    "gateways": ({}, {"a": "text"}),
    "prices": ({},),
    "foresight": (),
    "anomalies": ({},),
    "budgets": ([],),
    "ledger": (),
}
"""What of :data:`SHAPES` a setting takes. The empty path is the folder of the file."""


def as_toml(value: Any) -> str:
    """A value in TOML's spelling."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(each if each.isalnum() or each == " " else f"\\U{ord(each):08x}" for each in value) + '"'
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(name)} = {as_toml(each)}" for name, each in value.items()) + "}"
    return repr(value)


def refused(load: Any, named: str) -> bool:
    """Whether the settings are refused: in one line that names the setting. What is taken must work when it is used."""
    try:
        found: Config = load()
    except ConfigError as error:
        told = str(error)
    else:
        registry(hosts=found.hosts).load()
        price_book(found)
        return False
    assert named in told
    assert "\n" not in told
    return True


def from_file(folder: Path, key: str, value: Any) -> bool:
    """Whether a file with this setting is refused."""
    (folder / "llmcost.toml").write_text(f"{key} = {as_toml(value)}\n", encoding="utf-8")
    return refused(lambda: config.load(environ={}, directory=folder), f"llmcost.toml: {key}")


def is_in(value: Any, among: tuple[Any, ...]) -> bool:
    """``1 == True`` counts for nothing here."""
    return any(type(value) is type(each) and value == each for each in among)


def test_the_tables_of_this_test_know_every_setting() -> None:
    assert set(TAKES) == set(KEYS) == {field.name for field in fields(Config)} - {"root"}
    variables = {name for name, key in config._VARIABLES.items() if key not in ("default_label", "run_id")}
    assert set(VARIABLES) == variables | {"LLMCOST_CONFIG"}


@pytest.mark.parametrize("key", KEYS)
def test_a_file_with_a_value_of_a_wrong_type_is_refused(tmp_path: Path, key: str) -> None:
    for value in SHAPES:
        assert from_file(tmp_path, key, value) is not is_in(value, TAKES[key]), (key, value)


@pytest.mark.parametrize("key", KEYS)
def test_an_argument_of_a_wrong_type_is_refused(tmp_path: Path, key: str) -> None:
    for value in (*SHAPES, object(), b"text", 1j, {5: "a"}, {"a": None}, [None]):
        taken = is_in(value, TAKES[key])
        got = refused(lambda value=value: config.load({key: value}, environ={}, directory=tmp_path), key)
        assert got is not taken, (key, value)


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_a_variable_that_cannot_be_is_refused(tmp_path: Path, variable: str) -> None:
    for value in VARIABLES[variable]:
        environ = {variable: value}
        assert refused(lambda environ=environ: config.load(environ=environ, directory=tmp_path), variable), value


VALUES: Final = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.sampled_from(KEYS)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=20), inner, max_size=3)),
    max_leaves=8,
)
FIELDS: Final = st.sampled_from(
    [
        "input_cost_per_token",
        "output_cost_per_token_above_200k_tokens_flex",
        "tiered_pricing",
        "off_peak_pricing",
        "search_context_cost_per_query",
        "provider_specific_entry",
        "max_input_tokens",
        "mode",
        "from",
        "same_as",
        "input_cost_per_tokenn",
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_no_argument_is_a_traceback(tmp_path: Path, key: str, value: Any) -> None:
    refused(lambda: config.load({key: value}, environ={}, directory=tmp_path), key)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.dictionaries(FIELDS, VALUES, min_size=1, max_size=3))
def test_no_row_of_prices_is_a_traceback(tmp_path: Path, row: dict[str, Any]) -> None:
    refused(lambda: config.load({"prices": {"m": row}}, environ={}, directory=tmp_path), 'prices."m"')


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(variable=st.sampled_from(sorted(VARIABLES)), value=st.text(max_size=20))
def test_no_variable_is_a_traceback(tmp_path: Path, variable: str, value: str) -> None:
    refused(lambda: config.load(environ={variable: value}, directory=tmp_path), variable)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet='tol.mcs[]"=5\n {}', max_size=40))
def test_no_file_is_a_traceback(tmp_path: Path, text: str) -> None:
    (tmp_path / "llmcost.toml").write_text(text, encoding="utf-8")
    refused(lambda: config.load(environ={}, directory=tmp_path), "llmcost.toml")
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    (tmp_path / "llmcost.toml").unlink()
    refused(lambda: config.load(environ={}, directory=tmp_path), "pyproject.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('hosts = {"llm.example" = "opnai"}', "hosts.\"llm.example\": no such provider: 'opnai'; did you mean openai?"),
        ('hosts = {"llm.example" = "OpenAI"}', "no such provider: 'OpenAI'; did you mean openai?"),
        ('hosts = {"http://llm.example" = "openai"}', 'hosts."http://llm.example": expected a host'),
        ('hosts = {"llm.example" = 5}', 'hosts."llm.example": expected text, got 5'),
        ('gateways = {"http://a/v1" = "proxy"}', 'gateways."http://a/v1": expected a host or host:port'),
        ('deployments = {"prod" = 5}', 'deployments."prod": expected text, got 5'),
        ("headers = {authorization = 5}", 'headers."authorization": expected text, got 5'),
        ("second_door = 5", "second_door: expected a list of names, got 5"),
        ("profiles = 5", "profiles: expected a list of names, got 5"),
        ('endpiont = "x"', "endpiont: unknown setting; did you mean endpoint?"),
        ('endpoint = "not an address"', "endpoint: expected an address like http://127.0.0.1:4318"),
        ('endpoint = "http://a:port"', "endpoint: expected an address like http://127.0.0.1:4318"),
        (
            '[prices."m"]\ninput_cost_per_tokenn = 1e-6',
            'prices."m": input_cost_per_tokenn: not a field of the price map; did you mean input_cost_per_token?',
        ),
        ('[prices."m"]\ntiered_pricing = 5', 'prices."m": tiered_pricing: expected a list of tables, got 5'),
        ('[prices."m"]\nmode = 5', 'prices."m": mode: expected text, got 5'),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "llmcost.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(environ={}, directory=tmp_path)
    assert told in str(caught.value)
