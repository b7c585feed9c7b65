"""When the shapes of the providers' files are compiled, and when their faults are told."""

from __future__ import annotations

import pytest

from llmcost.errors import ConfigError
from llmcost.providers import loading
from llmcost.providers.compiler import Compiler
from llmcost.providers.matching import Registry

ROUTES = [{"path": "/good", "shape": "good"}, {"path": "/bad", "shape": "bad"}]
BAD = {"name": "p", "hosts": ["h"], "route": ROUTES, "shape": {"good": {"operation": "chat"}, "bad": {"odd": 1}}}


def test_every_shape_of_the_packaged_files_compiles() -> None:
    Compiler(loading._packaged()).check()


def test_a_shape_is_compiled_when_it_is_first_spoken() -> None:
    registry = Registry(Compiler([("p.toml", BAD)]).providers, {})
    endpoint = registry.endpoint("POST", "h", None, "/good")
    assert endpoint is not None
    assert endpoint.name == "p.good"
    with pytest.raises(ConfigError, match=r"p\.toml.*odd"):
        registry.endpoint("POST", "h", None, "/bad")


def test_a_check_tells_the_faults_of_all_shapes() -> None:
    with pytest.raises(ConfigError, match=r"p\.toml.*odd"):
        Compiler([("p.toml", BAD)]).check()


def test_a_route_to_no_shape_is_a_fault_at_once() -> None:
    with pytest.raises(ConfigError, match="unknown shape 'none'"):
        Compiler([("p.toml", {"name": "p", "route": [{"path": "/x", "shape": "none"}]})]).providers()
