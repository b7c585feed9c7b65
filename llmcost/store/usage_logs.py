"""Old usage logs as calls: llmcost's own exports, LiteLLM's spend logs, OpenAI's usage export, any CSV.

A form of log is one row of :data:`FORMS`: the columns that tell it, and the field that each column fills.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from llmcost import semconv
from llmcost.calls import Attribution, Call, CallSite, Cost, CostStatus, Usage
from llmcost.errors import ConfigError, LLMCostError

FIELDS: Final = (
    "started", "ended", "id", "label", "model", "provider", "operation", "type", "cost_usd", "status", "input_tokens",
    "output_tokens", "cached_tokens", "duration_s", "outcome", "error", "user", "session", "run", "function", "file",
    "line", "requests", "tier",
)  # fmt: skip
"""What a column may fill: the columns of ``llmcost export``, the time of the end, the number of requests that a row
stands for, and the service tier. ``context.KEY`` fills a key of the context."""

CONTEXT: Final = "context."
_OPERATIONS: Final = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "embedding": "embeddings",
}
"""Operations as LiteLLM spells them, without the ``a`` of its async ones."""
Price = Callable[[Call], Cost]


class BadRow(LLMCostError):
    """A row that is no call. The message says why."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of log: the columns that tell it, the field of each column, and what is the same in every row."""

    name: str
    told_by: frozenset[str]
    columns: Mapping[str, str]
    fixed: Mapping[str, str] = field(default_factory=dict)


LLMCOST: Final = Form("llmcost", frozenset({"started", "id", "cost_usd"}), {name: name for name in FIELDS})
FORMS: Final = (
    LLMCOST,
    Form(
        "litellm",
        frozenset({"request_id", "startTime", "spend"}),
        {
            "request_id": "id", "startTime": "started", "endTime": "ended", "spend": "cost_usd", "model": "model",
            "custom_llm_provider": "provider", "prompt_tokens": "input_tokens", "completion_tokens": "output_tokens",
            "call_type": "operation", "session_id": "session", "user": "user", "end_user": "user",
            "team_id": "context.team",
        },
    ),
    Form(
        "openai",
        frozenset({"start_time", "num_model_requests", "model"}),
        {
            "start_time": "started", "model": "model", "num_model_requests": "requests", "input_tokens": "input_tokens",
            "output_tokens": "output_tokens", "input_cached_tokens": "cached_tokens", "user_id": "user",
            "project_id": "context.project", "service_tier": "tier",
        },
        {"provider": "openai"},
    ),
)  # fmt: skip


def form_of(columns: Mapping[str, Any]) -> Form:
    """The form whose columns these are.

    Raises:
        ConfigError: none has them.
    """
    for form in FORMS:
        if form.told_by <= columns.keys():
            return form
    known = "; ".join(f"{form.name}: {', '.join(sorted(form.told_by))}" for form in FORMS)
    raise ConfigError(
        f"no known form of log has these columns; name them with --map COLUMN=FIELD, or use one of {known}"
    )


def form_by(pairs: Mapping[str, str]) -> Form:
    """The form that the user describes, column to field.

    Raises:
        ConfigError: a field does not exist, or none says when a call was.
    """
    for column, name in pairs.items():
        if name not in FIELDS and not name.startswith(CONTEXT):
            raise ConfigError(f"--map {column}={name}: no such field; there are {', '.join(FIELDS)}, context.KEY")
    if "started" not in pairs.values():
        raise ConfigError("--map: name the column of the time, as in --map date=started")
    return Form("csv", frozenset(pairs), dict(pairs))


def rows(source: TextIO) -> Iterator[tuple[int, Any]]:
    """The rows of a log with the line (of a JSON list: the item) that each stands at: CSV, JSON lines or a JSON list.
    A row that can't be read is the reason why, a :class:`BadRow`."""
    start = source.read(1)
    while start.isspace():
        start = source.read(1)
    source.seek(0)
    if start == "[":
        yield from enumerate(_listed(source), 1)
    elif start == "{":
        yield from _lines(source)
    else:
        yield from _table(source)


def _listed(source: TextIO) -> list[Any]:
    try:
        found = json.load(source)
    except ValueError as exc:
        raise ConfigError(f"not JSON: {exc}") from None
    return list(found)


def _lines(source: TextIO) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(source, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as exc:
                yield number, BadRow(f"not JSON: {exc}")


def _table(source: TextIO) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(source, restkey="", strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield reader.line_num, BadRow(f"not CSV: {exc}")
            continue
        first = next(iter(row.values()), None)
        if isinstance(first, str) and first.startswith("#"):
            continue  # the note of a shortened export
        short = None in row.values() or "" in row
        yield reader.line_num, BadRow("not as many cells as the head has columns") if short else row


class Reader:
    """Makes calls of rows.

    Args:
        price: what a call costs whose row does not say it.
        form: the form that the user describes; else it is told by each row's columns.
        label: the label of calls whose row has none.
    """

    def __init__(self, price: Price, form: Form | None = None, label: str | None = None) -> None:
        self._price = price
        self._form = form
        self._label = label or semconv.UNTRACKED
        self._seen = Counter[str]()

    def call(self, row: Any) -> Call | None:
        """The call of a row; None where it is a note.

        Raises:
            BadRow: it is none.
            ConfigError: no known form of log looks like that.
        """
        if isinstance(row, BadRow):
            raise row
        if not isinstance(row, Mapping):
            raise BadRow("not a table of values")
        if row.keys() == {"note"}:
            return None
        try:
            if "started_ns" in row:
                return typing.cast(Call, _rebuilt(Call, row))
            form = self._form or form_of(row)
            return self._from(form, row)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as exc:
            raise BadRow(str(exc) or type(exc).__name__) from None

    def _from(self, form: Form, row: Mapping[str, Any]) -> Call:
        values = dict(form.fixed)
        for column, name in form.columns.items():
            text = _text(row.get(column))
            if text:
                values[name] = text
        started = _moment(values.get("started"))
        found = self._call(values, started, form)
        if "cost_usd" in values:
            return dataclasses.replace(found, cost=Cost(_status(values), _number(values, "cost_usd")))
        if "status" in values:
            return dataclasses.replace(found, cost=Cost(_status(values)))
        return dataclasses.replace(found, cost=self._price(found))

    def _call(self, values: Mapping[str, str], started: float, form: Form) -> Call:
        ended = _moment(values["ended"]) if "ended" in values else started
        return Call(
            id=values.get("id") or self._hash(form, values),
            started_ns=round(started * 1e9),
            duration=_number(values, "duration_s") if "duration_s" in values else max(0.0, ended - started),
            operation=_operation(values.get("operation", "chat")),
            provider=values.get("provider", "unknown"),
            request_model=values.get("model"),
            usage=Usage(
                _count(values, "input_tokens"),
                _count(values, "output_tokens"),
                cache_read_tokens=_count(values, "cached_tokens") or 0,
            ),
            cost=Cost("unpriced"),
            attribution=self._attribution(values, form),
            outcome=typing.cast(Any, values.get("outcome", "complete")),
            error_type=values.get("error"),
            service_tier=values.get("tier"),
            attempts=_count(values, "requests") or 1,
            run_id=values.get("run"),
        )

    def _attribution(self, values: Mapping[str, str], form: Form) -> Attribution:
        label, site = values.get("label"), None
        if "function" in values:
            site = CallSite(values["function"], values.get("file", ""), _count(values, "line") or 0)
        context = {key.removeprefix(CONTEXT): text for key, text in values.items() if key.startswith(CONTEXT)}
        if form is not LLMCOST:
            context["import"] = form.name
        known = label is not None and label != semconv.UNTRACKED
        return Attribution(
            label=label or self._label,
            label_source="explicit" if known or self._label != semconv.UNTRACKED else "none",
            site=site,
            user_id=values.get("user"),
            session_id=values.get("session"),
            call_type=values.get("type"),
            context=context,
        )

    def _hash(self, form: Form, values: Mapping[str, str]) -> str:
        """An id made of what the row says, and of how many such rows came before it: equal rows are two calls, and the
        same file a second time gives the same ids."""
        said = hashlib.sha256(json.dumps([form.name, sorted(values.items())]).encode()).hexdigest()[:24]
        self._seen[said] += 1
        return f"import-{said}-{self._seen[said]}"


def _text(value: Any) -> str:
    """A cell as text; one that was made safe for spreadsheets as it was before."""
    text = "" if value is None else str(value).strip()
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text


def _moment(text: str | None) -> float:
    """Unix seconds, from seconds, milliseconds or nanoseconds since 1970, or an ISO time (UTC where it has no zone)."""
    if not text:
        raise ValueError("no time of the call")
    try:
        number = float(text)
    except ValueError:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not 0 < number < 1e20:
        raise ValueError(f"no time: {text!r}")
    return number / (1e9 if number > 1e16 else 1e3 if number > 1e11 else 1)


def _operation(said: str) -> str:
    return _OPERATIONS.get(said, _OPERATIONS.get(said.removeprefix("a"), said))


def _number(values: Mapping[str, str], name: str) -> float:
    number = float(values[name])
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{name}: not an amount: {values[name]!r}")
    return number


def _count(values: Mapping[str, str], name: str) -> int | None:
    return round(_number(values, name)) if name in values else None


def _status(values: Mapping[str, str]) -> Any:
    status = values.get("status", "explicit")
    return status if status in typing.get_args(CostStatus) else "explicit"


def _rebuilt(kind: Any, value: Any) -> Any:
    """A record of its form as JSON; names that it does not have are left out."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _rebuilt(hints[name], each) for name, each in value.items() if name in hints})  # type: ignore[operator]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _rebuilt(next(part for part in parts if part is not type(None)), value)
    if origin is tuple:
        return tuple(_rebuilt(parts[0], each) for each in value)
    if kind in (int, float, str) and (isinstance(value, bool) or not isinstance(value, int | float | str)):
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value
