"""The containers and the cluster: pinned, of the releases that the tests run, and with files and switches that exist.

No image is pulled: what is checked is that the containers get what the plain processes of tests/stack are run with.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY))
DEPLOY = REPOSITORY / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CLUSTER = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
VARIABLE = re.compile(r"\$\{env:([A-Z_]+)")


def built(piece: str) -> str:
    """The release that the tests run, of get.sh."""
    found = re.search(rf"^{piece}=([\d.]+)", (DEPLOY / "get.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[1]


def container() -> dict[str, Any]:
    """The collector of the cluster."""
    made = next(each for each in CLUSTER if each["kind"] == "StatefulSet")
    return dict(made["spec"]["template"]["spec"]["containers"][0])


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_to_a_release(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_the_releases_are_those_that_the_tests_run() -> None:
    assert SERVICES["collector"]["image"].endswith(":" + built("COLLECTOR"))
    assert SERVICES["prometheus"]["image"].endswith(":v" + built("PROMETHEUS"))
    assert container()["image"] == SERVICES["collector"]["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists_and_ports_are_bound_to_loopback(name: str) -> None:
    for volume in SERVICES[name]["volumes"]:
        source = volume.split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


def test_prometheus_has_the_switches_and_rules_of_the_tests() -> None:
    from deploy import processes

    command = SERVICES["prometheus"]["command"]
    assert f"--enable-feature={processes._FEATURES}" in command
    assert "--web.enable-otlp-receiver" in command
    mounted = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    settings = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    assert {f"/etc/prometheus/{name}" for name in settings["rule_files"]} <= mounted
    targets = {each for job in settings["scrape_configs"] for part in job["static_configs"] for each in part["targets"]}
    assert {target.split(":")[0] for target in targets} <= set(SERVICES)


def test_the_collectors_variables_are_those_of_their_files() -> None:
    def known(config: str) -> set[str]:
        return set(VARIABLE.findall((REPOSITORY / "collector-config" / config).read_text(encoding="utf-8")))

    assert set(SERVICES["collector"]["environment"]) <= known("local.yaml")
    assert {each["name"] for each in container()["env"]} <= known("gateway.yaml")
    assert container()["args"] == ["--config=/etc/otelcol/gateway.yaml"]


def test_grafana_gets_every_variable_and_folder_that_its_provisioning_names() -> None:
    folder = REPOSITORY / "grafana" / "provisioning"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml"))
    assert set(re.findall(r"\$\{([^}]*)\}", text)) <= set(SERVICES["grafana"]["environment"])
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    providers = yaml.safe_load((folder / "dashboards" / "llmcost.yaml").read_text(encoding="utf-8"))["providers"]
    assert {each["options"]["path"] for each in providers} <= mounted


def test_one_collector_adds_up_the_money_and_keeps_its_queue() -> None:
    made = next(each for each in CLUSTER if each["kind"] == "StatefulSet")
    service = next(each for each in CLUSTER if each["kind"] == "Service")
    assert made["spec"]["replicas"] == 1
    assert service["spec"]["selector"] == made["spec"]["template"]["metadata"]["labels"]
    claimed = {each["metadata"]["name"] for each in made["spec"]["volumeClaimTemplates"]}
    folders = {each["name"]: each["mountPath"] for each in container()["volumeMounts"]}
    given = {each["name"]: each["value"] for each in container()["env"]}
    assert claimed == {"data"}
    assert folders["data"] == given["DATA_FOLDER"]
    ports = {each["containerPort"] for each in container()["ports"]}
    assert {each["port"] for each in service["spec"]["ports"]} == ports
