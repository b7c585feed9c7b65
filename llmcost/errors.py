"""The error tree.

::

    LLMCostError
    ├── ConfigError            a setting is wrong; the message names the key, option or file
    ├── MissingExtra           an optional package is not installed; the message names the extra
    ├── PriceMapError          a price map cannot be read; the message names the file
    ├── UnknownModel           no price entry, where one was asked for by name
    ├── SemanticMapError       a semantic map cannot be read; the message names the file
    ├── StoreError             the local store cannot be read or written
    └── BudgetExceeded         a budget refused to spend

Nothing of this tree is ever raised into a user's LLM call, except ``BudgetExceeded`` where the user asked for it.
"""

from __future__ import annotations


class LLMCostError(Exception):
    """Base of all errors that llmcost raises on purpose. The text is one line, whatever the names in it hold."""

    def __init__(self, message: object = "") -> None:
        super().__init__(" ".join(str(message).split()))


class ConfigError(LLMCostError):
    """A setting is wrong. The message names the key, option or file at fault."""


class MissingExtra(LLMCostError):
    """An optional package is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'llmcost-otel[{extra}]'")


class PriceMapError(LLMCostError):
    """A price map cannot be read. The message names the file."""


class UnknownModel(LLMCostError):
    """No price entry for a model that was asked for by name."""


class SemanticMapError(LLMCostError):
    """A semantic map cannot be read. The message names the file."""


class StoreError(LLMCostError):
    """The local store cannot be read or written."""


class BudgetExceeded(LLMCostError):
    """A budget refused to spend.

    Attributes:
        refusal: what it said, a :class:`llmcost.Refusal`; None where nothing more is known.
    """

    def __init__(self, message: str, refusal: object = None) -> None:
        super().__init__(message)
        self.refusal = refusal


def reason(exc: Exception) -> str:
    """What an exception says, for a line that already names the file: no errno, and not the name once more."""
    return exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
