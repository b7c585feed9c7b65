"""Rows of old usage logs as calls: llmcost's own exports, LiteLLM's spend logs, OpenAI's usage export, any CSV."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from llmcost import semconv
from llmcost.calls import Attribution, Call, CallSite, Cost, CostStatus, Usage
from llmcost.errors import ConfigError
from llmcost.store.log_forms import CONTEXT, LLMCOST, TABLE, Form, check_columns, form_of
from llmcost.store.log_rows import BadRow, Head

_OPERATIONS: Final = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "embedding": "embeddings",
}
"""Operations as LiteLLM spells them, without the ``a`` of its async ones."""
Price = Callable[[Call], Cost]


class Reader:
    """Makes calls of rows.

    Args:
        price: what a call costs whose row does not say it.
        pairs: what the user says of columns, column to field; the rest is told by their names.
        label: the label of calls whose row has none.

    Attributes:
        unused: the columns of tables in no known form that fill no field.
    """

    def __init__(self, price: Price, pairs: Mapping[str, str] | None = None, label: str | None = None) -> None:
        self._price = price
        self._pairs = pairs or {}
        self._label = label or semconv.UNTRACKED
        self._forms: dict[tuple[str, ...], Form] = {}
        self._seen = Counter[str]()
        self.unused: dict[str, None] = {}

    def call(self, row: Any) -> Call | None:
        """The call of a row; None where it is a head or a note.

        Raises:
            BadRow: it is none.
            ConfigError: it is the first, and its columns do not say what a call is.
        """
        if isinstance(row, BadRow):
            raise row
        if isinstance(row, Head):
            check_columns(row, self._pairs)
            self._form(row)
            return None
        if not isinstance(row, Mapping):
            raise BadRow("not a table of values")
        if row.keys() == {"note"}:
            return None
        try:
            if "started_ns" in row:
                return typing.cast(Call, _rebuilt(Call, row))
            return self._from(self._form_of(row), row)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as exc:
            raise BadRow(str(exc) or type(exc).__name__) from None

    def _form_of(self, row: Mapping[str, Any]) -> Form:
        try:
            return self._form(tuple(row))
        except ConfigError as exc:
            if not self._forms:
                raise
            raise BadRow(exc) from None  # others of this log are calls

    def _form(self, columns: tuple[str, ...]) -> Form:
        form = self._forms.get(columns)
        if form is None:
            form = self._forms[columns] = form_of(columns, self._pairs)
            if form.name == TABLE:
                self.unused |= dict.fromkeys(column for column in columns if column not in form.columns)
        return form

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
            provider=values.get("provider", "unknown").lower(),
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
        if form.name != LLMCOST.name:
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
        return _iso(text)
    if not 0 < number < 1e20:
        raise ValueError(f"no time: {text!r}")
    return number / (1e9 if number > 1e16 else 1e3 if number > 1e11 else 1)


def _iso(text: str) -> float:
    try:
        found = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        raise ValueError(f"neither an ISO time nor seconds since 1970: {text!r}") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _operation(said: str) -> str:
    return _OPERATIONS.get(said, _OPERATIONS.get(said.removeprefix("a"), said))


def _number(values: Mapping[str, str], name: str) -> float:
    try:
        number = float(values[name].removeprefix("$"))
    except ValueError:
        raise ValueError(f"{name}: not a number: {values[name]!r}") from None
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
