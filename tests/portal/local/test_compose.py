"""docker-compose.yml runs what `up` runs. There is nothing to run it with here, so its text is compared."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from portal.local import processes
from portal.local.paths import ROOT


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(processes.COMMANDS))
def test_compose__own_service__runs_the_supervisors_command(compose: dict[str, Any], name: str) -> None:
    assert compose["services"][name]["command"] == ["python", "-m", *processes.COMMANDS[name]]


def test_compose__services__are_the_supervisors_the_two_stores_and_one_on_demand(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {*processes.COMMANDS, "postgres", "redis", "predictions"}
    assert {name for name, service in services.items() if "profiles" in service} == {"predictions"}
    assert services["predictions"]["command"] == services["web"]["command"]
    assert services["predictions"]["environment"]["PORTAL_SERVES"] == "predictions"


def test_compose__images__are_pinned_to_a_version(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()}
    assert images == {"slipway:local", "postgres:18", "redis:8"}


@pytest.mark.parametrize("name", processes.SERVICES)
def test_compose__own_service__starts_after_the_preparation(compose: dict[str, Any], name: str) -> None:
    assert compose["services"][name]["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}


def test_compose__web__is_published_on_this_machine_only(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {
        "web": ["127.0.0.1:${PORTAL_PORT:-8000}:8000"],
        "predictions": ["127.0.0.1:${PORTAL_PREDICTIONS_PORT:-8001}:8000"],
    }


def test_dockerfile__default_command__is_the_web_process() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    words = ", ".join(f'"{word}"' for word in ("python", "-m", *processes.COMMANDS["web"]))
    assert f"CMD [{words}]" in lines
    assert "USER slipway" in lines
