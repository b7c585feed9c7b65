"""What calls can be grouped and filtered by: a table of names. Any other name is a key of ``llmcost.context(...)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Side = Literal["series", "origin", "quarter"]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to group calls.

    Attributes:
        name: what the user writes.
        side: where its values stand: with the ``series`` or the ``origin`` of a call, or in its time.
        sql: the value as an expression over the table of that side.
        parameters: values for the placeholders of ``sql``.
        title: the head of a report's first column.
    """

    name: str
    side: Side
    sql: str
    title: str
    parameters: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The table that ``sql`` reads."""
        return "origins" if self.side == "origin" else "series"


_KNOWN: Final = (
    Dimension("label", "series", "label", "Section"),
    Dimension("model", "series", "model", "Model"),
    Dimension("provider", "series", "provider", "Provider"),
    Dimension("operation", "series", "operation", "Operation"),
    Dimension("type", "series", "call_type", "Type"),
    Dimension("status", "series", "status", "Cost status"),
    Dimension("source", "series", "label_source", "Label from"),
    Dimension("function", "series", "function", "Function"),
    Dimension("file", "series", "file", "File"),
    Dimension("user", "origin", "user_id", "User"),
    Dimension("session", "origin", "session_id", "Session"),
    Dimension("run", "origin", "run_id", "Run"),
    Dimension("agent", "origin", "agent", "Agent"),
    Dimension("workflow", "origin", "workflow", "Workflow"),
    Dimension("conversation", "origin", "conversation_id", "Conversation"),
    Dimension("path", "origin", "section_path", "Path"),
    Dimension("day", "quarter", "quarter", "Day"),
    Dimension("hour", "quarter", "quarter", "Hour"),
)
DIMENSIONS: Final = {dimension.name: dimension for dimension in _KNOWN}
SAME: Final = {"section": "label"}
"""What a person calls a dimension whose name in the store is another."""


def dimension(name: str) -> Dimension:
    """The dimension of that name; a name not in the table is a context key."""
    known = DIMENSIONS.get(SAME.get(name, name))
    if known is not None:
        return known
    value = "coalesce((SELECT CAST(value AS TEXT) FROM json_each(nullif(context, '')) WHERE key = ?), '')"
    return Dimension(name, "origin", value, name, (name,))
