"""Providers: which hosts and paths are calls of models, and where their requests and responses say what."""

from llmcost.providers.facts import RequestFacts, ResponseFacts
from llmcost.providers.loading import hosts, names, registry
from llmcost.providers.matching import Endpoint, Registry

__all__ = ["Endpoint", "Registry", "RequestFacts", "ResponseFacts", "hosts", "names", "registry"]
