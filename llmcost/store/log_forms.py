"""The forms of usage logs: which column holds what.

A form is one row of :data:`FORMS`; a table in no known form is read by the obvious names of its columns, :data:`NAMES`,
and by what the user says of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from llmcost.errors import ConfigError
from llmcost.store.listing import COLUMNS

FIELDS: Final = (*COLUMNS, "ended", "requests", "tier")
"""What a column may fill: the columns of ``llmcost export``, the time of the end, the number of requests that a row
stands for, and the service tier. ``context.KEY`` fills a key of the context."""

CONTEXT: Final = "context."
TABLE: Final = "csv"
"""The name of the form of tables in no known form."""
_SHOWN: Final = 6
"""Names of columns that an error lists."""
_LONGEST: Final = 24
"""Characters of each of them."""


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

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "started": (
        "started", "timestamp", "time", "date", "datetime", "created_at", "start_time", "started_at", "created", "day",
    ),
    "ended": ("ended", "ended_at", "end_time", "finished_at"),
    "id": ("id", "request_id", "call_id", "generation_id"),
    "label": ("label", "section", "feature"),
    "model": ("model", "model_name", "model_id", "model_permaslug"),
    "provider": ("provider", "provider_name", "vendor"),
    "operation": ("operation",),
    "type": ("type", "call_type"),
    "cost_usd": ("cost_usd", "cost", "total_cost", "cost_total", "spend", "usd"),
    "input_tokens": ("input_tokens", "prompt_tokens", "tokens_in", "tokens_prompt", "input"),
    "output_tokens": ("output_tokens", "completion_tokens", "tokens_out", "tokens_completion", "output"),
    "cached_tokens": ("cached_tokens", "input_cached_tokens", "tokens_cached"),
    "duration_s": ("duration_s", "duration_seconds", "latency_s"),
    "error": ("error", "error_type"),
    "user": ("user", "user_id", "end_user", "customer", "customer_id"),
    "session": ("session", "session_id"),
    "run": ("run", "run_id"),
    "function": ("function",),
    "file": ("file",),
    "line": ("line",),
    "requests": ("requests", "num_model_requests", "num_requests"),
    "tier": ("tier", "service_tier"),
}  # fmt: skip
"""What a column's name says it holds, the best name first; small letters, ``_`` between words."""
_NEEDED: Final = (("started",), ("cost_usd", "input_tokens", "output_tokens"))
"""Of each group a table must have a field: when a call was, and what it cost or used."""
_WHAT: Final = ("when a call was", "what it cost or used")


def form_of(columns: Collection[str], pairs: Mapping[str, str] | None = None) -> Form:
    """The form of a log with these columns.

    Args:
        columns: their names.
        pairs: what the user says, column to field; it counts for more than a column's name.

    Raises:
        ConfigError: no column says when a call was, or what it cost or used.
    """
    pairs = pairs or {}
    known = next((form for form in FORMS if form.told_by <= set(columns)), None)
    if known is not None:
        return known if not pairs else Form(known.name, known.told_by, {**known.columns, **pairs}, known.fixed)
    obvious = {column: name for column, name in _obvious(columns).items() if name not in pairs.values()}
    form = Form(TABLE, frozenset(columns), {**obvious, **pairs})
    for needed, what in zip(_NEEDED, _WHAT, strict=True):
        if not set(needed) & set(form.columns.values()):
            looked_for = listed([name for each in needed for name in NAMES[each][: _SHOWN // len(needed)]])
            told = f"no column says {what} (such as {looked_for}); there are {listed(columns)}"
            raise ConfigError(f"{told}; name it with --map COLUMN={needed[0]}")
    return form


def _obvious(columns: Collection[str]) -> dict[str, str]:
    """Column to field by the column's name; where several say the same, the best comes last and so wins."""
    by_name = {re.sub(r"\W+", "_", column.strip().lower()): column for column in columns}
    return {
        by_name[name]: wanted for wanted, names in NAMES.items() for name in reversed(names) if name in by_name
    }  # fmt: skip


def check_columns(columns: Collection[str], pairs: Mapping[str, str]) -> None:
    """Check that a table has the columns that the user names.

    Raises:
        ConfigError: it lacks one.
    """
    for column, name in pairs.items():
        if column not in columns:
            raise ConfigError(f"--map {column}={name}: no such column; there are {listed(columns)}")


def listed(names: Collection[str]) -> str:
    """A few of the names, for a line of sane length."""
    shown = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in list(names)[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def pairs_of(options: Collection[str]) -> dict[str, str]:
    """The user's words, ``COLUMN=FIELD``, as column to field.

    Raises:
        ConfigError: one has another shape, or names a field that does not exist.
    """
    pairs = {}
    for option in options:
        column, sign, name = option.partition("=")
        if not sign or not column or not name:
            raise ConfigError(f"--map: {option!r} is not COLUMN=FIELD")
        if name not in FIELDS and not name.startswith(CONTEXT):
            raise ConfigError(f"--map {option}: no such field; there are {', '.join(FIELDS)}, context.KEY")
        pairs[column] = name
    return pairs
