"""A refused call: the response that stands for the provider's answer, and how to tell it from a provider's own.

Every SDK raises its ordinary error for a response of status 402 at once: none retries it, none takes it for a rate
limit. ``docs/reference/refusals.md`` lists what each one raises.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from llmcost.control import Decision, Verdict, usd_of
from llmcost.errors import BudgetExceeded
from llmcost.providers import Endpoint

STATUS: Final = 402
KIND: Final = "llmcost_budget_exceeded"
"""Type and code of the error in the body."""

NAME_HEADER: Final = "x-llmcost-budget"
DETAILS_HEADER: Final = "x-llmcost-refusal"

_OPENAI_LIKE: Final[Mapping[str, Any]] = {"error": {"message": "$message", "type": "$type", "code": "$code"}}
"""The shape of an error where the provider's table gives none."""

_MARK: Final = re.compile(r"\[llmcost ([0-9a-f]{8,40})\]")
_MOST_KEPT: Final = 1_024
_DEEPEST: Final = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was not sent.

    Attributes:
        budget: name of the budget that refused it.
        message: one line for people.
        cause: what it is about: ``money``, ``calls``, ``depth``, ``repeats``, ``unbounded``, ``unpriced``, ``ledger``
            or ``callback``.
        limit: the window's limit, in USD; the number of calls where the cause is ``calls`` or ``repeats``; None where
            no window is concerned.
        remaining: what is left of the limit; never below 0.
        resets_at: when the window turns, Unix seconds; None for a total.
        scope, value: for whom the budget is.
        window: ``daily``, ``rolling 24h`` and so on.
        call_id: the id of the refused call on its span and in the store.
    """

    budget: str
    message: str = ""
    cause: str = "money"
    limit: float | None = None
    remaining: float | None = None
    resets_at: float | None = None
    scope: str = "global"
    value: str = ""
    window: str = ""
    call_id: str = ""


def refusal_of(verdict: Verdict, call_id: str) -> Refusal:
    """What a verdict of ``block`` says, for the program."""
    decision = verdict.decisive
    if decision is None:  # no verdict of the engine's is without one
        return Refusal("", "refused by a budget", call_id=call_id)
    limit, remaining = _money(decision)
    return Refusal(
        decision.budget,
        decision.message + _until(decision.resets_at),
        decision.cause,
        limit,
        remaining,
        decision.resets_at,
        decision.scope,
        decision.value,
        decision.window,
        call_id,
    )


def _money(decision: Decision) -> tuple[float | None, float | None]:
    if decision.limit is None:
        return None, None
    left = max(0, decision.limit - decision.used)
    return (usd_of(decision.limit), usd_of(left)) if decision.cause == "money" else (decision.limit, left)


def _until(resets_at: float | None) -> str:
    return "" if resets_at is None else f"; resets at {datetime.fromtimestamp(resets_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def response_of(endpoint: Endpoint, refusal: Refusal) -> tuple[dict[str, str], bytes]:
    """Headers and body of the response, in the error shape of the provider.

    Args:
        endpoint: its shape has the template.
        refusal: what to say.
    """
    _recent.keep(refusal)
    values = {"$message": f"{refusal.message} [llmcost {refusal.call_id}]", "$type": KIND, "$code": KIND}
    body = json.dumps(_filled(endpoint.shape.refusal or _OPENAI_LIKE, values)).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-should-retry": "false",
        NAME_HEADER: refusal.budget.encode("ascii", "backslashreplace").decode(),
        DETAILS_HEADER: json.dumps(asdict(refusal)),
    }
    return headers, body


def _filled(template: Any, values: Mapping[str, str]) -> Any:
    if isinstance(template, dict):
        return {key: _filled(value, values) for key, value in template.items()}
    return values.get(template, template) if isinstance(template, str) else template


class _Recent:
    """The last refusals of this process by call id, for SDKs whose errors keep no headers."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Refusal] = OrderedDict()

    def keep(self, refusal: Refusal) -> None:
        self._kept[refusal.call_id] = refusal
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def find(self, text: str) -> Refusal | None:
        found = _MARK.search(text)
        if found is None:
            return None
        return self._kept.get(found[1]) or Refusal("", text, call_id=found[1])


_recent: Final = _Recent()


def refusal(exc: BaseException) -> Refusal | None:
    """What a budget of llmcost said, where an exception of an SDK comes from its refusal; None where it does not.

    Looks through causes and contexts, so that a framework's own exception around the SDK's is understood too.

    Args:
        exc: what was raised by a call of a model.
    """
    for each in _chain(exc):
        if isinstance(each, BudgetExceeded) and isinstance(each.refusal, Refusal):
            return each.refusal
        found = _stated(each) or _recent.find(str(each))
        if found is not None:
            return found
    return None


def _chain(exc: BaseException) -> Iterator[BaseException]:
    waiting, seen = [exc], set[int]()
    while waiting and len(seen) < _DEEPEST:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting.extend(_causes(each))


def _causes(exc: BaseException) -> Iterable[BaseException]:
    inner = exc.exceptions if isinstance(exc, BaseExceptionGroup) else ()
    return [each for each in (exc.__cause__, exc.__context__, *inner) if each is not None]


def _stated(exc: BaseException) -> Refusal | None:
    """The refusal in the headers that an error carries, itself or by its response."""
    for holder in (getattr(exc, name, None) for name in ("response", "raw_response", "headers")):
        headers = getattr(holder, "headers", holder)
        if isinstance(headers, Mapping):
            text = headers.get(DETAILS_HEADER)
            if isinstance(text, str):
                return Refusal(**json.loads(text))
    return None
