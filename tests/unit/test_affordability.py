"""``llmcost.can_afford`` and ``llmcost.budget_status``, beside an observed program and without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.observed import observed

import llmcost
from llmcost import affordability

USERS = llmcost.Budget(name="users", scope="user", daily=1, weekly=3, overrides={"vip": llmcost.Limits(daily=50)})
MODEL: Any = {"provider": "openai", "model": "gpt-5-mini"}


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    affordability._of_settings.cache_clear()
    yield
    affordability._of_settings.cache_clear()


def spend(usd: float) -> None:
    with llmcost.log_call(**MODEL) as call:
        call.complete(cost=usd)


def test_an_observed_program_asks_for_whoever_it_works_for() -> None:
    tenants = llmcost.Budget(name="tenants", scope="tenant", total=2)
    with observed(budgets=[USERS, tenants], ledger="memory://", store=False):
        assert llmcost.can_afford(user_id="u1", estimated_cost=0.9) == (True, "allow", "")
        with llmcost.context(user_id="u1", tenant="t"):
            spend(0.9)
            ok, action, message = llmcost.can_afford(estimated_cost=0.2)
            assert (ok, action) == (False, "block")
            assert message == "budget 'users' of user 'u1': $0.90 of $1.00 daily used (90 %), this call does not fit"
            assert llmcost.can_afford(estimated_cost=0.05)[:2] == (True, "warn")
            assert llmcost.can_afford(user_id="vip", estimated_cost=1).ok
            assert not llmcost.can_afford(user_id="vip", tenant="t", estimated_cost="1.2").ok
        rows = llmcost.budget_status(user="u1")
        assert [(row.value, row.window, row.spent) for row in rows[:2]] == [("u1", "daily", 0.9), ("u1", "weekly", 0.9)]
        assert rows[0].remaining == pytest.approx(0.1)
        assert rows == llmcost.budget_status(user_id="u1")
        assert [(row.value, row.limit) for row in llmcost.budget_status()] == [("vip", 50), ("vip", 3)]
        assert [row.spent for row in llmcost.budget_status(tenant="t") if row.budget == "tenants"] == [0.9]


def test_runs_labels_and_ids_are_known_by_themselves() -> None:
    budgets = [
        llmcost.Budget(name="run", scope="run", total=1),
        llmcost.Budget(name="label", scope="label", total=2),
        llmcost.Budget(name="session", scope="session", total=3),
    ]

    def refused_by(usd: float, **scope: str) -> str:
        return llmcost.can_afford(estimated_cost=usd, **scope).message.partition("'")[2].partition("'")[0]

    with observed(budgets=budgets, ledger="memory://", store=False, run_id="r1"):
        assert refused_by(1.5) == "run"
        with llmcost.label("billing"):
            assert "of run 'r1'" in llmcost.can_afford(estimated_cost=1.5).message
        assert not llmcost.can_afford(estimated_cost=3.5, run="", label="", session_id="s").ok


def test_a_process_that_does_not_observe_reads_the_ledger_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = '[[budgets]]\nname = "users"\nscope = "user"\ndaily = 1\n'
    (tmp_path / "llmcost.toml").write_text(rows, encoding="utf-8")
    with observed(store=tmp_path / ".llmcost", foresight="off"), llmcost.context(user_id="u1"):
        spend(0.9)
    assert not llmcost.can_afford(user_id="u1", estimated_cost=0.2).ok
    assert llmcost.can_afford(user_id="u2", estimated_cost=0.2).ok
    (row,) = llmcost.budget_status(user="u1")
    assert (row.spent, row.calls, row.verified) == (0.9, 1, True)


def test_without_budgets_everything_is_affordable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert llmcost.can_afford(user_id="u1", estimated_cost=1e6) == (True, "allow", "")
    assert llmcost.budget_status() == []
    with observed(store=False):
        assert llmcost.can_afford(estimated_cost=1e6).ok
        assert llmcost.budget_status(user="u1") == []


def test_an_amount_that_is_none_is_an_error() -> None:
    with (
        observed(budgets=[USERS], ledger="memory://", store=False),
        pytest.raises(ValueError, match="is not an amount"),
    ):
        llmcost.can_afford(user_id="u1", estimated_cost="cheap")
