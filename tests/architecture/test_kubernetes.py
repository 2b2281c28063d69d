"""The manifests for Kubernetes are what its API takes, and say what the code says."""

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from flamewire_ledger.cli.serve import Role
from flamewire_ledger.settings import PREFIX, Settings
from flamewire_ledger.telemetry import METRICS
from tests.services.place import ROOT

FOLDER = ROOT / "docs" / "operate" / "kubernetes"
VERSIONS = ("1.31", "1.37")  # the oldest and the newest that are promised
APART = {"kustomization.yaml", "prometheus-adapter.yaml"}


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


OBJECTS = [
    pytest.param(document, id=f"{document['kind']}-{document['metadata']['name']}")
    for name, document in documents()
    if name != "kustomization.yaml"
]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for _, each in documents() if each["kind"] == kind}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", OBJECTS)
def test_each_object_is_valid_for_the_versions_that_are_promised(
    document: dict[str, Any], version: str
):
    kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_does_not_exist_is_found():
    wrong = of_kind("Deployment")["api"]
    wrong["spec"]["template"]["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_the_kustomization_has_every_file():
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert set(listed) == {path.name for path in FOLDER.glob("*.yaml")} - APART


def test_every_role_is_deployed_with_its_own_command_and_can_be_probed():
    deployments = of_kind("Deployment")
    assert set(deployments) == {role.value for role in Role}
    for name, deployment in deployments.items():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["serve", name]
        assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        (port,) = container["ports"]
        settings = of_kind("ConfigMap")["flamewire-settings"]["data"]
        expected = "8700" if name == "api" else settings[f"{PREFIX}STATUS_PORT"]
        assert str(port["containerPort"]) == expected


def test_settings_are_settings_of_the_ledger():
    data = of_kind("ConfigMap")["flamewire-settings"]["data"]
    assert set(data) <= {PREFIX + field.upper() for field in Settings.model_fields}
    assert Settings.model_validate(
        {name.removeprefix(PREFIX).lower(): value for name, value in data.items()}
    )


def test_autoscaling_is_on_metrics_that_the_ledger_has():
    scalers = of_kind("HorizontalPodAutoscaler")
    assert set(scalers) == {"api", "projector", "reactor"}
    text = "".join(path.read_text() for path in FOLDER.glob("*.yaml"))
    used = set(re.findall(r"\bflamewire_(\w+)", text))
    assert used == {"writer_queued", "projection_lag_seconds"}
    assert used <= METRICS.keys()
    partitions = int(of_kind("ConfigMap")["flamewire-settings"]["data"][f"{PREFIX}PARTITIONS"])
    assert scalers["projector"]["spec"]["maxReplicas"] == partitions
    assert scalers["reactor"]["spec"]["maxReplicas"] == partitions


def test_no_pod_runs_as_root_or_writes_to_its_image():
    for each in (*of_kind("Deployment").values(), *of_kind("Job").values()):
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
