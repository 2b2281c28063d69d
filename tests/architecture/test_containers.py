"""The image and docker-compose.yml say what the code says: roles, settings, files."""

import json
import re
from typing import Any

import pytest
import yaml

from flamewire_ledger.settings import PREFIX, Settings
from tests.services.place import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
ROLES = {"api", "relay", "projector", "reactor", "watcher"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services: dict[str, Any] = compose["services"]
    return services


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if "build" in service}


def test_every_role_has_a_container_and_every_container_a_role(services: dict[str, Any]):
    roles = importable_roles()
    assert roles == ROLES, "contract.md names the roles"
    commands = {name: service["command"] for name, service in ours(services).items()}
    assert commands == {"migrate": ["migrate"]} | {role: ["serve", role] for role in roles}


def importable_roles() -> set[str]:
    from flamewire_ledger.cli.serve import Role

    return {role.value for role in Role}


def test_roles_start_after_the_migration_and_when_the_servers_are_healthy(
    services: dict[str, Any],
):
    for name, service in ours(services).items():
        for server in service["depends_on"]:
            if server != "migrate":
                assert "healthcheck" in services[server], f"{name} waits for {server}"
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {
                "condition": "service_completed_successfully"
            }


def test_containers_use_settings_that_exist(services: dict[str, Any]):
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    used = {variable for service in ours(services).values() for variable in service["environment"]}
    used |= set(re.findall(rf"\b{PREFIX}[A-Z_]+", DOCKERFILE))
    assert used
    assert used <= known


def test_passwords_come_from_the_environment(services: dict[str, Any]):
    for service in services.values():
        for variable, value in service.get("environment", {}).items():
            if "PASS" in variable or ("_URL" in variable and "@" in value):
                assert "${" in value, f"{variable} has a password in it"


def test_only_the_api_is_reachable_and_only_from_this_machine(services: dict[str, Any]):
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(ports) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in ports["api"])


def test_the_image_is_built_from_files_that_exist():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    files = {name for line in copied for name in line.split()}
    assert files >= {"requirements.txt", "pyproject.toml", "src", "projections", "schemas"}
    assert [name for name in files if not (ROOT / name).exists()] == []
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    assert [name for name in files if f"!{name}" not in let_through] == []


def test_the_image_runs_the_command_line_and_not_as_root():
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    assert user, "a USER line"
    assert user[-1] not in {"root", "0"}
    entry = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, flags=re.MULTILINE)
    assert json.loads(entry[-1]) == ["flamewire"]
