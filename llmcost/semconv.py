"""Every name that leaves the process: span attributes, metrics and environment variables.

The ``gen_ai.*`` names follow the OpenTelemetry GenAI semantic conventions (development channel, state of 2026-11).
They move between releases, so they are written down here and nowhere else.
"""

from __future__ import annotations

from typing import Final, Literal

from llmcost.lean import dataclass

SCOPE: Final = "llmcost"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"

# --- span attributes of the conventions -------------------------------------------------------------------------

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOKEN_TYPE: Final = "gen_ai.token.type"

INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
AUDIO_INPUT_TOKENS: Final = "gen_ai.usage.audio.input_tokens"
AUDIO_OUTPUT_TOKENS: Final = "gen_ai.usage.audio.output_tokens"
IMAGE_INPUT_TOKENS: Final = "gen_ai.usage.image.input_tokens"
IMAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.image.output_tokens"

AGENT_NAME: Final = "gen_ai.agent.name"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
HTTP_STATUS_CODE: Final = "http.response.status_code"
CODE_FUNCTION: Final = "code.function.name"
CODE_FILE: Final = "code.file.path"
CODE_LINE: Final = "code.line.number"
USER_ID: Final = "user.id"
SESSION_ID: Final = "session.id"

# OpenInference's spellings, read by Phoenix and others.
TAGS: Final = "tag.tags"
METADATA: Final = "metadata"

# Older and foreign spellings that a reader of spans must accept, newest first.
FOREIGN_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    PROVIDER_NAME: ("gen_ai.system", "llm.provider", "llm.system"),
    REQUEST_MODEL: ("llm.request.model", "llm.model_name"),
    RESPONSE_MODEL: ("llm.response.model",),
    INPUT_TOKENS: ("gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens"),
    OUTPUT_TOKENS: ("gen_ai.usage.completion_tokens", "llm.token_count.completion", "llm.usage.completion_tokens"),
    CACHE_READ_TOKENS: ("gen_ai.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read"),
    CACHE_WRITE_TOKENS: (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    REASONING_TOKENS: ("gen_ai.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning"),
    SESSION_ID: ("langfuse.session.id",),
    USER_ID: ("enduser.id", "langfuse.user.id"),
}

# --- span attributes of ours ------------------------------------------------------------------------------------

SEMANTIC_LABEL: Final = "llm.semantic_label"
"""Label of the section of the code that made the call; `untracked` where none is known."""
SEMANTIC_LABEL_SOURCE: Final = "llmcost.semantic_label_source"
"""Where the label came from: `map`, `explicit`, `inherited` or `none`."""

COST_TOTAL: Final = "llm.cost.total"
"""Cost of the call, USD. Absent where no price is known."""
COST_PROMPT: Final = "llm.cost.prompt"
"""Cost of the input, USD."""
COST_COMPLETION: Final = "llm.cost.completion"
"""Cost of the output, USD."""
COST_PROMPT_DETAILS: Final = "llm.cost.prompt_details."
"""Prefix: cost of one class of input (cache read, cache write, audio), USD."""
COST_COMPLETION_DETAILS: Final = "llm.cost.completion_details."
"""Prefix: cost of one class of output (reasoning, audio), USD."""
COST_FEES: Final = "llmcost.cost.fees"
"""Cost of what is not per token (searches, images, pages, requests), USD. Prompt + completion + fees = total."""
USAGE_ESTIMATED: Final = "llmcost.usage.estimated"
COST_STATUS: Final = "llmcost.cost.status"
"""How far the cost can be trusted: `priced`, `estimated`, `partial`, `unpriced` and so on."""
COST_NOTE: Final = "llmcost.cost.note"
"""Why the status is not `priced`, in a few words."""
COST_PRICE_KEY: Final = "llmcost.cost.price_key"
"""Key of the price map that was used."""
COST_PRICE_SOURCE: Final = "llmcost.cost.price_source"
"""Where the price came from: `litellm`, `override` or `provider` (stated in the response)."""
COST_PRICE_DATE: Final = "llmcost.cost.price_date"
"""ISO date of the price map or override."""
COST_COUNTED_BY: Final = "llmcost.cost.counted_by"
"""The span nearer to the provider that counts this call, where a gateway is observed too."""

TOKEN_CLASS: Final = "llmcost.token.class"
"""Class of tokens, on metrics: `input` (read anew), `cache_read`, `cache_write`, `output` (shown), `reasoning`."""

CALL_ID: Final = "llmcost.call.id"
"""Id of the call, the same in spans, store and ledgers."""
CALL_TYPE: Final = "llmcost.call_type"
"""Kind of work: `chat`, `summarization`, `embedding` and so on; given, or derived from label and operation."""
CALL_OUTCOME: Final = "llmcost.call.outcome"
"""How the call ended: `complete`, `truncated`, `closed`, `cancelled`, `failed` or `collected`."""
RUN_ID: Final = "llmcost.run.id"
"""Id of the run of the program, shared by its processes."""
ATTEMPTS: Final = "llmcost.attempts"
"""Number of requests that this span stands for."""
SECTION_PATH: Final = "llmcost.section_path"
"""Path of nested sections, such as `agent:researcher/tool:web_search`."""
CONTEXT_PREFIX: Final = "llmcost.context."
"""Prefix: further keys given with `llmcost.context`."""
BUDGET_ACTION: Final = "llmcost.budget.action"
"""What the budgets said: `allow`, `warn`, `degrade` or `block`."""
BUDGET_NAME: Final = "llmcost.budget.name"
"""The budget that said it."""
BUDGET_WOULD: Final = "llmcost.budget.would"
"""What the budget would have said if its mode were `block`; on events and in `llmcost.budget.decisions`."""
BUDGET_CAUSE: Final = "llmcost.budget.cause"
"""What a budget's answer is about: `money`, `calls`, `depth`, `repeats`, `unbounded`, `unpriced`, `ledger` or
`callback`; on events."""
BUDGET_SCOPE: Final = "llmcost.budget.scope"
"""Whose budget it is: `global`, `user`, `label` or another scope."""
BUDGET_VALUE: Final = "llmcost.budget.value"
"""The value of the scope, on metrics: of scopes that name code and models; of users, sessions and other ids only where
`metric_users` asks for the most used."""
BUDGET_WINDOW: Final = "llmcost.budget.window"
"""The window of a budget: `hourly`, `daily`, `rolling 24h` and so on."""
BUDGET_USED_ATTRIBUTE: Final = "llmcost.budget.used"
"""On events: what was spent and held before the call, USD; calls where the cause is their number."""
BUDGET_LIMIT_ATTRIBUTE: Final = "llmcost.budget.limit_value"
"""On events: the limit, USD; calls where the cause is their number."""
BUDGET_MESSAGE: Final = "llmcost.budget.message"
"""On events: the budget's answer in one line."""
BUDGET_WARNING_EVENT: Final = "llmcost.budget.warning"
"""Span event: a threshold was crossed; once per threshold and window over all processes."""
BUDGET_DECISION_EVENT: Final = "llmcost.budget.decision"
"""Span event: a budget refused the call or sent another model."""
BOUND: Final = "llmcost.bound"
"""Which number of a forecast: `median`, or `lower` and `upper` of the 95 % interval."""
SCOPE_KIND: Final = "llmcost.scope"
"""Whose spend: `global`, `label`, `model`, `user` or `budget`."""
SCOPE_VALUE: Final = "llmcost.scope.value"
"""Which one: the label, the model, the budget; absent for `global`."""
ANOMALY_INCIDENT: Final = "llmcost.anomaly.incident"
"""Id of the incident, the same for all its reports."""
ANOMALY_EVENT: Final = "llmcost.anomaly.event"
"""What happened to the incident: `opened`, `escalated` or `closed`."""
ANOMALY_SEVERITY: Final = "llmcost.anomaly.severity"
"""The worst so far: `low`, `medium` or `high`."""
ANOMALY_CAUSE: Final = "llmcost.anomaly.cause"
"""What changed: `model`, `tokens`, `price`, `calls`, `retries` or `errors`."""
ANOMALY_DESCRIPTION: Final = "llmcost.anomaly.description"
"""One sentence: since when, whose, what changed, how much money."""
ANOMALY_EXCESS: Final = "llmcost.anomaly.excess"
"""Money above the usual so far, USD."""
REQUESTED_MODEL: Final = "llmcost.requested_model"
"""The model that the program asked for, where a budget sent another."""
ERROR_CODE: Final = "llmcost.error.code"
"""The provider's own error code."""

UNTRACKED: Final = "untracked"
"""The label of a call whose section of the code is not known."""

OTHER_MODEL: Final = "other"
"""The metric value for model names that never succeeded, so that made-up names cannot mint series."""

OTHER_LABEL: Final = "other"
"""The metric value for labels beyond those that metrics keep apart."""

PRICED_OPERATIONS: Final = frozenset(
    {
        "chat",
        "generate_content",
        "text_completion",
        "embeddings",
        "rerank",
        "image_generation",
        "audio_speech",
        "audio_transcription",
        "video_generation",
        "moderation",
        "ocr",
    }
)
"""Operations that spend money themselves. Agent, workflow and tool spans repeat their children's usage."""

CallType = Literal[
    "chat",
    "rag_query",
    "rag_synthesis",
    "sentiment_analysis",
    "summarization",
    "embedding",
    "classification",
    "extraction",
    "system",
    "other",
]


# --- metrics ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument: its kind, UCUM unit, help text, the attributes it may carry and its histogram bounds."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    help: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_OVERHEADS: Final = (2e-5, 4e-5, 6e-5, 8e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 5e-4, 1e-3, 3e-3, 0.01, 0.05, 0.25)
_TOKENS: Final = tuple(float(4**n) for n in range(14))
_DOLLARS: Final = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_GEN_AI: Final = (OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT)
_OURS: Final = (SEMANTIC_LABEL, PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, BUDGET_ACTION)

TOKEN_USAGE: Final = Metric(
    "gen_ai.client.token.usage", "histogram", "{token}", "Tokens of one call.", (*_GEN_AI, TOKEN_TYPE), _TOKENS
)
OPERATION_DURATION: Final = Metric(
    "gen_ai.client.operation.duration",
    "histogram",
    "s",
    "Duration of one call.",
    (*_GEN_AI, ERROR_TYPE),
    _SECONDS,
)
TIME_TO_FIRST_CHUNK: Final = Metric(
    "gen_ai.client.operation.time_to_first_chunk",
    "histogram",
    "s",
    "Time from the start of a call to the first chunk of its stream.",
    _GEN_AI,
    _SECONDS,
)
TIME_PER_OUTPUT_CHUNK: Final = Metric(
    "gen_ai.client.operation.time_per_output_chunk",
    "histogram",
    "s",
    "Mean time between two chunks of a stream.",
    _GEN_AI,
    _SECONDS,
)
COST: Final = Metric("llm.cost", "counter", "{USD}", "Money spent on calls, in USD.", _OURS)
USER_COST: Final = Metric(
    "llmcost.user.cost",
    "counter",
    "{USD}",
    "Money spent for the users that spend most, in USD. Only where metric_users is set.",
    (USER_ID,),
)
CALL_COST: Final = Metric("llmcost.call.cost", "histogram", "{USD}", "Cost of one call, in USD.", _OURS, _DOLLARS)
CALLS: Final = Metric("llmcost.calls", "counter", "{call}", "Calls seen.", (*_OURS, COST_STATUS))
_TOKENS_OF: Final = (SEMANTIC_LABEL, PROVIDER_NAME, REQUEST_MODEL, TOKEN_CLASS)
TOKENS: Final = Metric(
    "llmcost.tokens",
    "counter",
    "{token}",
    "Tokens by class. The classes add up to all tokens of all calls.",
    _TOKENS_OF,
)
TOKENS_COST: Final = Metric(
    "llmcost.tokens.cost", "counter", "{USD}", "Money by class of tokens, in USD. Fees are in none.", _TOKENS_OF
)
CALLS_UNPRICED: Final = Metric(
    "llmcost.calls.unpriced",
    "counter",
    "{call}",
    "Calls whose model has no known price. They are not in llm.cost.",
    (SEMANTIC_LABEL, PROVIDER_NAME, REQUEST_MODEL),
)
CALLS_ADOPTED: Final = Metric(
    "llmcost.calls.adopted",
    "counter",
    "{call}",
    "Calls told on the span of another instrumentation, which llmcost adopted. The others have a span of ours.",
    (SEMANTIC_LABEL, PROVIDER_NAME, REQUEST_MODEL),
)
CALL_OVERHEAD: Final = Metric(
    "llmcost.call.overhead",
    "histogram",
    "s",
    "Time for which llmcost held a call up, budgets and span processors included; measured of one call in 101.",
    (),
    _OVERHEADS,
)
STORE_WAITING: Final = Metric(
    "llmcost.store.waiting", "gauge", "{call}", "Calls that wait in memory, since the disk refuses them."
)
STORE_DROPPED: Final = Metric(
    "llmcost.store.dropped",
    "counter",
    "{call}",
    "Calls missing in the local store: the disk refused, and too many waited.",
)
CALLS_UNSEEN: Final = Metric(
    "llmcost.calls.unseen",
    "counter",
    "{call}",
    "Requests to known provider hosts that could not be read as calls.",
    (SERVER_ADDRESS,),
)
_BUDGET: Final = (BUDGET_NAME, BUDGET_SCOPE, BUDGET_VALUE, BUDGET_WINDOW)
BUDGET_LIMIT: Final = Metric("llmcost.budget.limit", "gauge", "{USD}", "Limit of a budget's window, in USD.", _BUDGET)
BUDGET_SPENT: Final = Metric("llmcost.budget.spent", "gauge", "{USD}", "Spent in the window so far, in USD.", _BUDGET)
BUDGET_RESERVED: Final = Metric(
    "llmcost.budget.reserved", "gauge", "{USD}", "Held by calls in flight, in USD.", _BUDGET
)
BUDGET_USED_RATIO: Final = Metric(
    "llmcost.budget.used_ratio", "gauge", "1", "Share of the limit that is spent or held.", _BUDGET
)
BUDGET_DECISIONS: Final = Metric(
    "llmcost.budget.decisions",
    "counter",
    "{decision}",
    "What budgets said to calls, where they said anything; `would` is what a shadow budget would have done.",
    (BUDGET_NAME, BUDGET_ACTION, BUDGET_WOULD),
)
INTERNAL_ERRORS: Final = Metric(
    "llmcost.internal.errors",
    "counter",
    "{error}",
    "Faults of llmcost itself, kept from the program.",
    ("llmcost.place",),
)

FORECAST_COST: Final = Metric(
    "llmcost.forecast.cost",
    "gauge",
    "{USD}",
    "Cost of the present month (UTC) at its end, or of a budget's window: median and 95 % interval.",
    (SCOPE_KIND, SCOPE_VALUE, BOUND),
)
FORECAST_EXCEED: Final = Metric(
    "llmcost.forecast.exceed_probability",
    "gauge",
    "1",
    "Chance that a budget is passed before its window ends.",
    (BUDGET_NAME,),
)
ANOMALIES: Final = Metric(
    "llmcost.anomalies",
    "counter",
    "{report}",
    "Incidents that were opened, got worse or ended. Each report is counted by one process.",
    (SCOPE_KIND, ANOMALY_EVENT, ANOMALY_SEVERITY, ANOMALY_CAUSE),
)
SERIES_DROPPED: Final = Metric(
    "llmcost.series.dropped",
    "gauge",
    "{series}",
    "Users, labels and models no longer foretold and watched: over 100,000, those silent longest begin anew.",
)
ANOMALY_EVENT_NAME: Final = "llmcost.anomaly"
"""Name of the span event and of the log record that tell of an incident."""

METRICS: Final = (
    TOKEN_USAGE,
    OPERATION_DURATION,
    TIME_TO_FIRST_CHUNK,
    TIME_PER_OUTPUT_CHUNK,
    COST,
    USER_COST,
    CALL_COST,
    CALLS,
    TOKENS,
    TOKENS_COST,
    CALLS_UNPRICED,
    CALLS_UNSEEN,
    CALLS_ADOPTED,
    CALL_OVERHEAD,
    STORE_WAITING,
    STORE_DROPPED,
    BUDGET_LIMIT,
    BUDGET_SPENT,
    BUDGET_RESERVED,
    BUDGET_USED_RATIO,
    BUDGET_DECISIONS,
    FORECAST_COST,
    FORECAST_EXCEED,
    ANOMALIES,
    SERIES_DROPPED,
    INTERNAL_ERRORS,
)

# Metrics that dashboards and alerts read and that llmcost does not emit: the SDK's own of its export queue (emitted
# where OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED is true), and the collector's of itself.
SDK_QUEUE_SIZE: Final = Metric(
    "otel.sdk.processor.span.queue.size", "gauge", "{span}", "Spans that wait to be exported.", ("otel.component.name",)
)
SDK_SPANS_PROCESSED: Final = Metric(
    "otel.sdk.processor.span.processed",
    "counter",
    "{span}",
    "Spans that left the queue; those with an error type were dropped.",
    ("otel.component.name", ERROR_TYPE),
)
COLLECTOR_RECEIVED: Final = Metric(
    "otelcol_receiver_accepted_metric_points", "counter", "{datapoints}", "Points taken.", ("receiver",)
)
COLLECTOR_FAILED: Final = Metric(
    "otelcol_exporter_send_failed_metric_points",
    "counter",
    "{datapoints}",
    "Points that the collector could not deliver.",
    ("exporter",),
)
COLLECTOR_QUEUE_SIZE: Final = Metric(
    "otelcol_exporter_queue_size", "gauge", "{batches}", "Batches that wait in the collector.", ("exporter",)
)
EXEMPLARS_OF: Final = {
    each.name: Metric(
        f"{each.name}.exemplars",
        "histogram",
        each.unit,
        f"What one export added to {each.name}; only its exemplars mean something.",
        each.attributes,
        each.buckets,
    )
    for each in (CALL_COST, OPERATION_DURATION)
}
"""The twins of histograms that the files of collector-config/ make, by the name of the metric."""
METRICS_OF_OTHERS: Final = (
    *EXEMPLARS_OF.values(),
    SDK_QUEUE_SIZE,
    SDK_SPANS_PROCESSED,
    COLLECTOR_RECEIVED,
    COLLECTOR_FAILED,
    COLLECTOR_QUEUE_SIZE,
)

# --- environment variables --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnvironmentVariable:
    """A setting read from the environment; ``help`` is what the reference page prints."""

    name: str
    help: str


ENV_CONFIG: Final = EnvironmentVariable("LLMCOST_CONFIG", "Path of the configuration file (llmcost.toml).")
ENV_HTTP_SPANS: Final = EnvironmentVariable("LLMCOST_HTTP_SPANS", "Network leg: keep (default), on or off.")
ENV_LABEL: Final = EnvironmentVariable("LLMCOST_LABEL", "Label of calls that no mapped function made.")
ENV_MAP: Final = EnvironmentVariable("LLMCOST_MAP", "Path of the semantic map.")
ENV_METRICS: Final = EnvironmentVariable("LLMCOST_METRICS", "on (default) or off.")
ENV_METRIC_USERS: Final = EnvironmentVariable(
    "LLMCOST_METRIC_USERS", "How many users, those that spend most, metrics name by their id (default 0, at most 1000)."
)
ENV_PRICE_MAP: Final = EnvironmentVariable("LLMCOST_PRICE_MAP", "File that replaces the shipped price map.")
ENV_PROFILES: Final = EnvironmentVariable(
    "LLMCOST_PROFILES", "Further cost attributes, by backend: openlit, logfire, langfuse, otel-draft."
)
ENV_FORESIGHT: Final = EnvironmentVariable(
    "LLMCOST_FORESIGHT", "Forecasts and the watch for anomalies: auto (default: where there is a store), on or off."
)
ENV_WEBHOOK: Final = EnvironmentVariable("LLMCOST_WEBHOOK", "URL that anomalies are posted to.")
ENV_WEBHOOK_SECRET: Final = EnvironmentVariable(
    "LLMCOST_WEBHOOK_SECRET", "Secret by which posts to the webhook are signed (HMAC-SHA256). Only here, in no file."
)
ENV_LEDGER: Final = EnvironmentVariable(
    "LLMCOST_LEDGER", "Where budgets are counted: sqlite:///path, redis://host:port/0 or memory://."
)
ENV_RUN_ID: Final = EnvironmentVariable("LLMCOST_RUN_ID", "Id of this run; set by llmcost run for all its processes.")
ENV_STORE: Final = EnvironmentVariable("LLMCOST_STORE", "Folder of the local store, on (.llmcost) or off.")
ENV_STREAM_USAGE: Final = EnvironmentVariable(
    "LLMCOST_STREAM_USAGE", "inject asks OpenAI-like streams for their usage and hides the extra chunk."
)
ENV_STRICT: Final = EnvironmentVariable("LLMCOST_STRICT", "1 re-raises faults of llmcost (for its own tests).")
ENV_CAPTURE_CONTENT: Final = EnvironmentVariable(
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    "NO_CONTENT (default), SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT.",
)

ENVIRONMENT: Final = (
    ENV_CONFIG,
    ENV_HTTP_SPANS,
    ENV_LABEL,
    ENV_MAP,
    ENV_METRICS,
    ENV_METRIC_USERS,
    ENV_PRICE_MAP,
    ENV_PROFILES,
    ENV_LEDGER,
    ENV_RUN_ID,
    ENV_STORE,
    ENV_STREAM_USAGE,
    ENV_STRICT,
    ENV_FORESIGHT,
    ENV_WEBHOOK,
    ENV_WEBHOOK_SECRET,
    ENV_CAPTURE_CONTENT,
)
