"""What is exported where: the variables of the OpenTelemetry specification, for each signal on its own.

A signal is exported by llmcost where an endpoint is configured for it (by argument, ``OTEL_EXPORTER_OTLP_ENDPOINT`` or
the signal's own variable) and ``OTEL_{SIGNAL}_EXPORTER`` does not say ``none``; also where that names another exporter,
such as ``console``. Nothing else connects anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from llmcost.config import Config
from llmcost.lean import dataclass

log: Final = logging.getLogger("llmcost")

OTLP: Final = "otlp"
GRPC: Final = "grpc"
HTTP: Final = "http/protobuf"
GRPC_PORT: Final = 4317
OTLP_NAMES: Final[Mapping[str, str | None]] = {OTLP: None, "otlp_proto_grpc": GRPC, "otlp_proto_http": HTTP}
"""Names of the OTLP exporter, and the protocol that a name asks for."""
TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
CONSOLE: Final = "console"
STORE_NAME: Final = "llmcost"
"""Names the local store, which is no exporter."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Traces or metrics.

    Attributes:
        name: as in ``OTEL_{name}_EXPORTER``.
        path: what follows the endpoint where the protocol is HTTP.
        group: the group of entry points of further exporters.
        otlp: where the OTLP exporter is, by protocol, written ``module:class``.
    """

    name: str
    path: str
    group: str
    otlp: Mapping[str, str]

    def variable(self, what: str, environ: Mapping[str, str]) -> str:
        """An ``OTEL_EXPORTER_OTLP_*`` variable: the signal's own, else the general one, else empty."""
        own = environ.get(f"OTEL_EXPORTER_OTLP_{self.name}_{what}", "").strip()
        return own or environ.get(f"OTEL_EXPORTER_OTLP_{what}", "").strip()


_EXPORTERS: Final = "opentelemetry.exporter.otlp.proto"
TRACES: Final = Signal(
    "TRACES",
    "v1/traces",
    "opentelemetry_traces_exporter",
    {
        GRPC: f"{_EXPORTERS}.grpc.trace_exporter:OTLPSpanExporter",
        HTTP: f"{_EXPORTERS}.http.trace_exporter:OTLPSpanExporter",
    },
)
METRICS: Final = Signal(
    "METRICS",
    "v1/metrics",
    "opentelemetry_metrics_exporter",
    {
        GRPC: f"{_EXPORTERS}.grpc.metric_exporter:OTLPMetricExporter",
        HTTP: f"{_EXPORTERS}.http.metric_exporter:OTLPMetricExporter",
    },
)


def endpoint_of(signal: Signal, config: Config, environ: Mapping[str, str]) -> str | None:
    """The OTLP endpoint of a signal, by argument or ``OTEL_*``; None where none is configured."""
    return config.endpoint or signal.variable("ENDPOINT", environ) or None


def exporters_of(signal: Signal, config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the exporters of a signal; none where nothing may be sent. OTLP needs an endpoint."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    said = environ.get(f"OTEL_{signal.name}_EXPORTER", "") or OTLP
    names = dict.fromkeys(name for part in said.split(",") if (name := part.strip()))
    if "none" in names:
        return ()
    reachable = endpoint_of(signal, config, environ) is not None
    return tuple(name for name in names if name != STORE_NAME and (reachable or name not in OTLP_NAMES))


_PROFILES: Final[Mapping[str, str]] = {"/api/public/otel": "langfuse"}
"""By the path of the endpoint: backends that read a cost by no name but their own."""


def profiles_of(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The peers' cost attributes to write: those that are set, else what the backend of the traces reads."""
    endpoint = endpoint_of(TRACES, config, environ) or ""
    return config.profiles or tuple(profile for path, profile in _PROFILES.items() if path in endpoint)


def exported(config: Config, environ: Mapping[str, str]) -> bool:
    """Whether any signal is to be exported."""
    return any(exporters_of(signal, config, environ) for signal in (TRACES, METRICS))


def kept(config: Config, environ: Mapping[str, str]) -> bool:
    """Whether anything is sent to where it is kept, which the console is not."""
    return any(set(exporters_of(signal, config, environ)) - {CONSOLE} for signal in (TRACES, METRICS))


def is_cumulative(environ: Mapping[str, str]) -> bool:
    """Whether the SDK's own exporter of metrics sends running totals of observed counters, as it does by default."""
    return environ.get(TEMPORALITY, "").strip().lower() != "delta"


def protocol_of(signal: Signal, endpoint: str, environ: Mapping[str, str]) -> str:
    """The protocol that the variables ask for; else gRPC at its own port, HTTP elsewhere."""
    said = signal.variable("PROTOCOL", environ)
    if said in signal.otlp:
        return said
    by_port = GRPC if _port(endpoint) == GRPC_PORT else HTTP
    if said:
        log.warning("llmcost: OTEL_EXPORTER_OTLP_PROTOCOL: %r is none of %s", said, ", ".join(signal.otlp))
    return by_port


def _port(endpoint: str) -> int | None:
    try:
        return urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").port
    except ValueError:
        return None
