"""What every test has: our own faults are raised, and neither the caller's settings nor the network count."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_KEPT = {"LLMCOST_SHARED", "LLMCOST_TEST_INSTALLED", "LLMCOST_STACK_CACHE"}

for _name in [key for key in os.environ if key.startswith("LLMCOST_") and key not in _KEPT]:
    del os.environ[_name]
os.environ["LLMCOST_STRICT"] = "1"
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

# How fast a machine is says nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
