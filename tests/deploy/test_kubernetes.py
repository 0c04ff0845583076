"""The manifests are what Kubernetes and KEDA can read, are built as they are read here, and name nothing missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.compose_file import DOCKERFILE
from tests.deploy.kubernetes_file import (
    FOLDER,
    GPU,
    KEDA,
    OBJECTS,
    OURS,
    PODS,
    SCALED,
    WORKLOADS,
    Object,
    claims,
    config_maps,
    containers,
    environment,
    kustomization,
    made_secrets,
    main_container,
    objects,
    of_kind,
    opened,
    pods,
    selects,
    title,
)

OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()


# --- what Kubernetes and KEDA can read --------------------------------------------------------------------------------


def known_to_kubernetes() -> list[Object]:
    return [
        found
        for found in [*OBJECTS, *SCALED, *made_secrets().values()]
        if not found["apiVersion"].startswith("keda.sh")
    ]


@pytest.mark.parametrize("version", [OLDEST, pytest.param(NEWEST, marks=pytest.mark.slow)])
@pytest.mark.parametrize("found", known_to_kubernetes(), ids=title)
def test_kubernetes_knows_every_word_of_it(found: Object, version: str) -> None:
    kubernetes_validate.validate(found, version, strict=True)


def test_the_schema_refuses_what_it_does_not_know() -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dat": {}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


@pytest.mark.parametrize("found", of_kind("ScaledObject", SCALED).values(), ids=title)
def test_keda_knows_every_word_of_it(found: Object) -> None:
    """https://keda.sh/docs/2.17/reference/scaledobject-spec/, https://keda.sh/docs/2.17/scalers/rabbitmq-queue/"""
    assert found["apiVersion"] == "keda.sh/v1alpha1"
    assert set(found["spec"]) == {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"}
    for trigger in found["spec"]["triggers"]:
        assert set(trigger) == {"type", "authenticationRef", "metadata"}
        assert trigger["type"] == "rabbitmq"
        assert set(trigger["metadata"]) == {"protocol", "mode", "queueName", "value"}
        assert {trigger["metadata"][key] for key in ("protocol", "mode")} == {"amqp", "QueueLength"}
        assert isinstance(trigger["metadata"]["value"], str)  # KEDA's metadata are strings, and numbers are refused


def test_every_file_is_in_a_kustomization() -> None:
    for folder in (FOLDER, KEDA):
        assert {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"} == {
            *kustomization(folder)["resources"]
        }


@pytest.mark.parametrize("path", sorted([*FOLDER.glob("*.yaml"), *KEDA.glob("*.yaml")]), ids=lambda path: path.name)
def test_what_is_merged_merges_nothing_itself(path: Path) -> None:
    """kustomize does not follow such a mapping when it puts in the names that it made."""
    for document in yaml.compose_all(path.read_text()):
        for merged in _merged(document):
            assert not list(_merged(merged)), f"line {merged.start_mark.line + 1}"


def _merged(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "<<":
                yield value
            yield from _merged(value)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _merged(entry)


BUILDERS = {"kustomize": ["kustomize", "build"], "kubectl": ["kubectl", "kustomize"]}


@pytest.mark.parametrize("folder", [FOLDER, KEDA], ids=lambda folder: folder.name)
@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_what_is_built_differs_in_names_images_and_namespace_alone(builder: str, folder: Path) -> None:
    built = {title(found): found for found in opened(_built(builder, folder))}
    generated = {title(found): _names_of_digests(found) for found in built.values() if found["kind"] == "ConfigMap"}

    assert set(generated.values()) == {g["name"] for g in kustomization(folder).get("configMapGenerator", [])}
    assert {t: _plain(found) for t, found in built.items() if t not in generated} == {
        title(found): _plain(found) for found in objects(folder)
    }


@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_what_reads_settings_is_restarted_when_they_change(builder: str) -> None:
    built = list(opened(_built(builder, FOLDER)))

    assert {name for pod in pods(built).values() for name in config_maps(pod)} == set(of_kind("ConfigMap", built))


@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_the_gpu_is_given_to_what_runs_the_network(builder: str, tmp_path: Path) -> None:
    folder = tmp_path / "kubernetes"
    shutil.copytree(FOLDER, folder)
    chosen = (folder / "kustomization.yaml").read_text().replace("#components: [gpu]", "components: [gpu]")
    (folder / "kustomization.yaml").write_text(chosen)

    for name, pod in pods(list(opened(_built(builder, folder)))).items():
        container = main_container(pod)
        encodes = name in {"embed", "text"}
        assert ("nvidia.com/gpu" in container["resources"]["limits"]) == encodes
        assert (environment(container).get("CLIP_DEVICE") == "cuda") == encodes
        assert ("fineshyt-encoders-cuda:" in container["image"]) == encodes


@cache
def _built(builder: str, folder: Path) -> str:
    if shutil.which(BUILDERS[builder][0]) is None:
        pytest.skip(f"{builder} is not installed here")
    done = subprocess.run([*BUILDERS[builder], str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _names_of_digests(found: Object) -> str:
    return re.sub(r"-[a-z0-9]{10}$", "", found["metadata"]["name"])


def _plain(found: Object) -> Object:
    """Without what kustomize puts in: the namespace, where images come from, and digests in names."""
    text = yaml.safe_dump({**found, "metadata": {k: v for k, v in found["metadata"].items() if k != "namespace"}})
    text = re.sub(r"image: registry\.example/(fineshyt-[a-z]+):\S+", r"image: \1", text)
    return dict(yaml.safe_load(re.sub(r"name: (settings|rabbitmq)-[a-z0-9]{10}$", r"name: \1", text, flags=re.M)))


# --- what belongs together --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_selector_meets_its_own_pods_alone(name: str) -> None:
    selector = WORKLOADS[name]["spec"]["selector"]

    assert [other for other, pod in PODS.items() if selects(selector, pod)] == [name]


@pytest.mark.parametrize("name", sorted(of_kind("Service", OBJECTS)))
def test_a_service_leads_to_ports_that_are_there(name: str) -> None:
    service = of_kind("Service", OBJECTS)[name]["spec"]
    (pod,) = [pod for pod in PODS.values() if selects({"matchLabels": service["selector"]}, pod)]

    assert {port["port"] for port in service["ports"]} <= {p["containerPort"] for p in main_container(pod)["ports"]}


@pytest.mark.parametrize("name", sorted(PODS))
def test_every_claim_and_config_map_exists(name: str) -> None:
    assert set(claims(PODS[name]).values()) <= set(of_kind("PersistentVolumeClaim", OBJECTS))
    assert config_maps(PODS[name]) <= {generator["name"] for generator in kustomization()["configMapGenerator"]}


@pytest.mark.parametrize("name", sorted(PODS))
def test_every_mount_is_a_volume(name: str) -> None:
    spec = PODS[name]["spec"]
    there = {v["name"] for v in spec["volumes"]} | {
        c["metadata"]["name"] for c in WORKLOADS[name]["spec"].get("volumeClaimTemplates", [])
    }
    mounted = {mount["name"] for container in containers(PODS[name]) for mount in container["volumeMounts"]}

    assert mounted == there


def test_what_is_shared_can_be_shared() -> None:
    shared = of_kind("PersistentVolumeClaim", OBJECTS)

    assert {n: c["spec"]["accessModes"] for n, c in shared.items()} == {
        "derivatives": ["ReadWriteMany"],
        "models": ["ReadWriteMany"],
        "library": ["ReadOnlyMany"],
    }
    assert shared["library"]["spec"]["volumeName"] in of_kind("PersistentVolume", OBJECTS)


def test_a_registry_is_said_for_every_image_that_is_built() -> None:
    targets = set(re.findall(r"^FROM runtime AS (\w+)$", DOCKERFILE.read_text(), re.M))
    said = {image["name"] for image in kustomization()["images"]}
    gpu = {image["newName"] for image in kustomization(GPU)["images"]}

    assert said == {f"fineshyt-{target}" for target in targets} | gpu
    assert {c["image"] for pod in OURS.values() for c in containers(pod)} == said - gpu
