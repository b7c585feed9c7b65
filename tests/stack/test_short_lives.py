"""Scripts that live shorter than a scrape: their money adds up to the cent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.programs import COST, write
from stack.asking import Asking
from stack.programs import TWO_DOLLARS, observed, settings, stats

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SCRIPTS = 50
DEAR = 3
EXPECTED = DEAR * 2.0 + (SCRIPTS - DEAR) * COST


@pytest.fixture(scope="module")
def scripts(running: Asking, tmp_path_factory: pytest.TempPathFactory) -> Asking:
    """50 of them, two at a time; three spend two dollars each."""
    folder, store = tmp_path_factory.mktemp("scripts"), tmp_path_factory.mktemp("store")
    dear, cheap = write(folder, TWO_DOLLARS, "dear.py"), write(folder, "calls(1)\n", "cheap.py")
    env = settings(running.stack.endpoint, "scripts", store)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: observed(dear if n % 17 == 1 else cheap, env), range(SCRIPTS)))
    assert stats(store)["cost"] == pytest.approx(EXPECTED)
    return running


def test_the_counter_has_every_script(scripts: Asking) -> None:
    query = 'sum(llm_cost_total{service_name="scripts"})'
    assert scripts.reaches(query, EXPECTED) == pytest.approx(EXPECTED, abs=1e-9)


def test_the_increase_of_the_hour_is_right_to_the_cent(scripts: Asking) -> None:
    query = 'sum(increase(llm_cost_total{service_name="scripts"}[1h] anchored))'
    assert scripts.reaches(query, EXPECTED) == pytest.approx(EXPECTED, abs=0.005)


def test_tokens_and_calls_of_the_histograms_add_up_too(scripts: Asking) -> None:
    counted = 'sum(gen_ai_client_operation_duration_seconds_count{service_name="scripts"})'
    assert scripts.reaches(counted, SCRIPTS) == SCRIPTS
    tokens = 'sum(gen_ai_client_token_usage_sum{service_name="scripts", gen_ai_token_type="input"})'
    expected = DEAR * 8_000_000 + (SCRIPTS - DEAR) * 1000
    assert scripts.reaches(tokens, expected) == expected


def test_fifty_scripts_are_one_series(scripts: Asking) -> None:
    assert scripts.reaches('count(llm_cost_total{service_name="scripts"})', 1) == 1
