"""What users of comparable tools reported, by the case's number, and the tests that keep it from happening here.

Cases 1 to 14 are calls that were counted wrong or a program that was broken; B is budgets, P processes, R store and
dashboards.
The reports are public: ``owner/repository#number``. Add a row with its test when a report touches llmcost.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Case(NamedTuple):
    """A report: where it was made, what went wrong, and the tests that say how it is here."""

    source: str
    symptom: str
    tests: tuple[str, ...]


_WHOLE: Final = "tests/contract/test_field_cases.py::"
_STREAMS: Final = "tests/contract/test_streams_of_others.py::"
_PRUNE: Final = "tests/unit/store/test_schema_and_prune.py::"
_COMMANDS: Final = "tests/unit/cli/test_reading_commands.py::"
_CLIENTS: Final = "tests/contract/test_clients.py::"
_ONCE: Final = "tests/contract/test_counted_once.py::"
_DOCTOR: Final = "tests/unit/cli/test_doctor.py::"
_PRICES: Final = "tests/unit/pricing/test_field_cases.py::"
_BUDGETS: Final = "tests/unit/control/test_controller.py::"
_OUTAGES: Final = "tests/contract/test_ledger_outages.py::"
_LEDGERS: Final = "tests/contract/test_ledger_processes.py::"

CASES: Final = {
    "1": Case(
        "langfuse/langfuse#12306",
        "cached tokens counted twice; the split of cache writes charged beside its sum, or not at all",
        (
            f"{_WHOLE}test_tokens_and_cost_of_a_whole_exchange",
            f"{_PRICES}test_case_1a_cached_tokens_are_counted_once",
            f"{_PRICES}test_case_1b_one_hour_writes_are_part_of_the_writes",
        ),
    ),
    "2": Case(
        "BerriAI/litellm#14849",
        "cached tokens charged at the full rate and again; the tier of long prompts forgotten",
        (
            f"{_WHOLE}test_tokens_and_cost_of_a_whole_exchange",
            f"{_PRICES}test_case_2_the_tier_goes_by_the_whole_prompt_and_covers_the_cache",
        ),
    ),
    "3": Case(
        "langfuse/langfuse#11244",
        "reasoning added to the output that holds it",
        (
            f"{_WHOLE}test_tokens_and_cost_of_a_whole_exchange",
            f"{_PRICES}test_case_3_reasoning_is_part_of_the_output",
        ),
    ),
    "4": Case(
        "BerriAI/litellm#31837, #13810",
        "charged at the tier that was asked for, not at the one that served",
        (f"{_WHOLE}test_tokens_and_cost_of_a_whole_exchange", f"{_PRICES}test_case_4_the_served_tier_decides"),
    ),
    "5": Case(
        "langfuse/langfuse#13325",
        "cost 0, or a default rate, behind an inference profile that names no model",
        (
            f"{_PRICES}test_case_5a_a_regional_profile_has_the_regional_price",
            f"{_PRICES}test_case_5b_an_opaque_profile_is_unpriced_and_says_how_to_price_it",
            f"{_PRICES}test_case_5c_a_row_for_the_arn_prices_it",
        ),
    ),
    "6": Case(
        "langfuse/langfuse#8994, #10958; PostHog/posthog#32295",
        "a gateway's vendor/model name unknown or matched loosely, though the body states the cost",
        (
            f"{_WHOLE}test_a_gateway_s_stated_cost_wins_and_nothing_else_is_taken_for_it",
            f"{_PRICES}test_case_6a_a_stated_cost_wins",
            f"{_PRICES}test_case_6bc_without_a_stated_amount_no_other_models_price_is_taken",
        ),
    ),
    "7": Case(
        "langchain-ai/langchainjs#10164",
        "running totals of a stream's chunks summed",
        (f"{_WHOLE}test_running_totals_are_not_summed_whatever_the_cut",),
    ),
    "8": Case(
        "openlit/openlit#1454; traceloop/openllmetry#3151",
        "a stream left early left no span, no cost, and its hold",
        (
            f"{_CLIENTS}test_stream_left_early",
            f"{_WHOLE}test_dropped_streams_leave_nothing_behind",
            "tests/contract/test_budgets_in_flow.py::test_streams_hold_until_they_end_and_failures_give_back",
        ),
    ),
    "9": Case(
        "openlit/openlit#1369; open-telemetry/opentelemetry-python#2606",
        "context detached in another task than the one that attached it",
        (f"{_STREAMS}test_an_abandoned_async_generator_leaves_no_trace_in_the_context",),
    ),
    "10": Case(
        "traceloop/openllmetry#3697; Arize-ai/openinference#3795",
        "an odd chunk raised inside the program's iterator",
        (f"{_WHOLE}test_odd_chunks_reach_the_program_untouched",),
    ),
    "11": Case(
        "traceloop/openllmetry#627, #3139; langchain-ai/langchain#30390",
        "streams without usage shown as 0 tokens and $0; a tokenizer used where the provider states usage",
        (
            f"{_WHOLE}test_a_stream_without_usage_is_estimated_and_its_request_untouched",
            f"{_WHOLE}test_usage_in_the_last_choice_is_the_provider_s",
        ),
    ),
    "12": Case(
        "Arize-ai/phoenix#5590; DataDog/dd-trace-py#18868",
        "framework and SDK both traced, or a workflow span that repeats its children's usage",
        (
            f"{_ONCE}test_a_workflow_span_that_repeats_the_sum_is_not_priced",
            f"{_ONCE}test_instrumenting_twice_counts_once",
            "tests/e2e/test_beside_others.py::test_each_call_is_counted_once",
        ),
    ),
    "13": Case(
        "langfuse/langfuse#8775, #9038, #1981",
        "money for refused requests",
        (
            f"{_WHOLE}test_a_refused_prompt_costs_nothing",
            "tests/e2e/test_sdks.py::test_each_try_is_a_call",
            f"{_CLIENTS}test_html_error_body_is_no_fault_of_ours",
        ),
    ),
    "14": Case(
        "open-telemetry/opentelemetry-python-genai#380; pydantic/logfire#62",
        "AttributeError in the program after a raw response",
        (
            f"{_STREAMS}test_the_program_gets_what_it_gets_without_llmcost",
            f"{_STREAMS}test_a_body_that_is_never_read_is_a_call_too",
        ),
    ),
    "B1": Case(
        "BerriAI/litellm#34896",
        "a window turns late by the offset of its zone, and its first hours count twice",
        (
            f"{_BUDGETS}test_a_day_begins_at_local_midnight_whatever_the_machine_thinks",
            "tests/unit/control/test_window_table.py::test_the_zone_of_the_machine_has_no_say",
            "tests/unit/control/test_status.py::test_the_status_is_what_enforcement_uses",
        ),
    ),
    "B2": Case(
        "BerriAI/litellm#40095",
        "simultaneous first requests of a user never seen pass a default budget",
        (f"{_LEDGERS}test_the_first_requests_of_a_user_never_seen_are_limited",),
    ),
    "B3": Case(
        "BerriAI/litellm#34429",
        "the rule for a ledger that fails covers reading it, but not the reservation",
        (
            f"{_OUTAGES}test_with_no_redis_the_budget_says_what_happens_within_its_time",
            f"{_BUDGETS}test_a_ledger_that_fails_follows_the_rule",
        ),
    ),
    "B4": Case(
        "BerriAI/litellm#27639, #30522",
        "refused at a third of the budget: holds of cancelled streams are never given back",
        (
            f"{_BUDGETS}test_cancelled_streams_give_their_holds_back",
            "tests/contract/test_budgets_of_streams.py::test_200_streams_that_are_given_up_hold_nothing_and_count_what_came",
        ),
    ),
    "B5": Case(
        "BerriAI/litellm#38157, #34805, #35531",
        "spending that waits in memory is lost when a worker ends, and with a commit that fails",
        (
            f"{_OUTAGES}test_what_waits_survives_kill_and_is_booked_once_by_another_process",
            f"{_OUTAGES}test_a_full_disk_loses_nothing",
            "tests/e2e/test_quiet.py::test_after_a_flush_nothing_waits_in_memory",
            "tests/e2e/test_quiet.py::test_calls_wait_for_a_store_that_cannot_be_written",
        ),
    ),
    "B6": Case(
        "BerriAI/litellm#14004, #29912; mozilla-ai/any-llm#786",
        "a used-up budget blocks models that cost nothing; unknown prices are taken for nothing",
        (
            f"{_BUDGETS}test_a_price_that_is_not_known_is_never_taken_for_free",
            "tests/contract/test_ledger.py::test_a_call_that_costs_nothing_passes_a_used_up_budget",
        ),
    ),
    "B7": Case(
        "BerriAI/litellm#3738",
        "past a threshold every request sends the alert",
        (
            f"{_LEDGERS}test_one_warning_for_all_processes_and_one_more_the_next_day",
            f"{_BUDGETS}test_a_warning_is_told_once_a_window",
        ),
    ),
    "P1": Case(
        "open-telemetry/opentelemetry-python#2024, #4043, #3309",
        "calls wait for a dead collector, and the exit takes minutes",
        (
            "tests/e2e/test_dead_collector.py::test_a_dead_collector_costs_the_program_nothing",
            "tests/e2e/test_processes.py::test_sigterm_waits_for_a_dead_collector_within_a_bound",
        ),
    ),
    "P2": Case(
        "open-telemetry/opentelemetry-python-contrib#385; opentelemetry-python#4927",
        "no telemetry with a web server's workers or reloader",
        ("tests/e2e/test_servers.py::test_workers", "tests/e2e/test_servers.py::test_reload"),
    ),
    "P3": Case(
        "open-telemetry/opentelemetry-python#5180; -contrib#2157",
        "opentelemetry-instrument does nothing and says nothing",
        (
            f"{_DOCTOR}test_a_missing_distro_is_named",
            f"{_DOCTOR}test_a_vendor_s_distro_is_named",
            "tests/unit/bootstrap/test_sitecustomize.py::test_a_run_is_recorded_without_a_distro",
        ),
    ),
    "R1": Case(
        "BerriAI/litellm#29342, #29466, #16582",
        "retention leaves orphans, and the file never shrinks",
        (
            f"{_PRUNE}test_old_calls_go_with_all_that_hangs_on_them_and_the_file_shrinks",
            f"{_PRUNE}test_a_prune_that_is_killed_is_finished_by_the_next",
        ),
    ),
    "R2": Case(
        "BerriAI/litellm#29568, #27780, #31831",
        "a day in another zone shown at twice its money; days that do not sum to their range",
        (
            "tests/unit/store/test_queries.py::test_days_sum_to_the_range_to_the_nano_dollar_in_every_zone",
            "tests/unit/report/test_renderers.py::test_the_column_of_the_csv_adds_up_to_the_nano_dollar",
            f"{_COMMANDS}test_a_shortened_export_says_so_in_the_file_and_in_the_exit_code",
        ),
    ),
    "R3": Case(
        "openlit/openlit#731; grafana/beyla#565",
        "published dashboards are empty",
        (
            "tests/stack/dashboards/test_promql.py::test_a_query_returns_data_or_is_empty_when_healthy",
            "tests/stack/dashboards/test_promql.py::test_the_money_is_right",
        ),
    ),
}
