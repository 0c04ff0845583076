"""The manifests as data, read the way `kubectl apply -k` reads them as far as these tests need it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from contracts import topology
from contracts.settings import Settings
from tests.deploy.compose_file import REPOSITORY

Object = dict[str, Any]

FOLDER = REPOSITORY / "deploy" / "kubernetes"
KEDA = FOLDER / "keda"
GPU = FOLDER / "gpu"

SERVERS = {"postgres", "rabbitmq"}
STAGES = {*topology.WORK_STAGES, "text"}


def kustomization(folder: Path = FOLDER) -> Object:
    return dict(yaml.safe_load((folder / "kustomization.yaml").read_text()))


def objects(folder: Path = FOLDER) -> list[Object]:
    """Every object of the kustomization, those of a `List` one by one."""
    texts = ((folder / name).read_text() for name in kustomization(folder)["resources"])
    return [found for text in texts for found in opened(text)]


def opened(text: str) -> Iterator[Object]:
    for document in yaml.safe_load_all(text):
        yield from document["items"] if document["kind"] == "List" else [document]


def of_kind(kind: str, among: list[Object]) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in among if found["kind"] == kind}


def title(found: Object) -> str:
    return f"{found['kind']}/{found['metadata']['name']}"


def pods(among: list[Object]) -> dict[str, Object]:
    """Name of the workload to the template of its pods."""
    return {w["metadata"]["name"]: w["spec"]["template"] for w in among if w["kind"] in {"Deployment", "StatefulSet"}}


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def main_container(pod: Object) -> Object:
    (container,) = pod["spec"]["containers"]
    return dict(container)


def environment(container: Object) -> dict[str, str | None]:
    """Names to values that stand in the manifest; None where a Secret or the pod itself gives it."""
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}


def mounts(pod: Object, container: Object) -> dict[str, bool]:
    """Target to whether it may be written."""
    read_only = {volume["name"] for volume in pod["spec"]["volumes"] if _claim(volume).get("readOnly")}
    return {
        mount["mountPath"]: not (mount.get("readOnly") or mount["name"] in read_only)
        for mount in container.get("volumeMounts", [])
    }


def claims(pod: Object) -> dict[str, str]:
    """Names of a pod's volumes to the claims behind them."""
    return {v["name"]: _claim(v)["claimName"] for v in pod["spec"].get("volumes", []) if _claim(v)}


def _claim(volume: Object) -> Object:
    return dict(volume.get("persistentVolumeClaim", {}))


def secret_keys(pod: Object) -> set[tuple[str, str]]:
    """`(secret, key)` of everything that a pod must be given; what is optional is left out."""
    found = set()
    for container in containers(pod):
        for entry in container.get("env", []):
            if reference := entry.get("valueFrom", {}).get("secretKeyRef"):
                found.add((reference["name"], reference["key"]))
        for source in container.get("envFrom", []):
            if "secretRef" in source and not source["secretRef"].get("optional"):
                found.add((source["secretRef"]["name"], "*"))
    for volume in pod["spec"].get("volumes", []):
        if "secret" in volume:
            found |= {
                (volume["secret"]["secretName"], item["key"]) for item in volume["secret"].get("items", [{"key": "*"}])
            }
    return found


def config_maps(pod: Object) -> set[str]:
    from_environment = {
        source["configMapRef"]["name"]
        for c in containers(pod)
        for source in c.get("envFrom", [])
        if "configMapRef" in source
    }
    return from_environment | {v["configMap"]["name"] for v in pod["spec"].get("volumes", []) if "configMap" in v}


def settings_file(path: Path = FOLDER / "settings.env") -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def made_secrets(**variables: str) -> dict[str, Object]:
    """What `make-secrets` prints."""
    done = subprocess.run(
        [FOLDER / "make-secrets"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return of_kind("Secret", list(opened(done.stdout)))


def bytes_of(quantity: str) -> int:
    for unit, factor in {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}.items():
        if quantity.endswith(unit):
            return int(quantity.removesuffix(unit)) * factor
    return int(quantity)


class Network:
    """What the policies allow, among pods that are told apart by their labels."""

    def __init__(self, policies: list[Object], namespace: str) -> None:
        self._policies = policies
        self._namespace = namespace

    def allows(self, source: Object, target: Object, port: int) -> bool:
        return self._sends(source, target, port) and self._takes(source, target, port)

    def leads_outside(self, source: Object) -> bool:
        return any("ipBlock" in to for rule in self._rules(source, "egress") for to in rule.get("to", []))

    def _sends(self, source: Object, target: Object, port: int) -> bool:
        return any(self._meets(rule, "to", target, port) for rule in self._rules(source, "egress"))

    def _takes(self, source: Object, target: Object, port: int) -> bool:
        return any(self._meets(rule, "from", source, port) for rule in self._rules(target, "ingress"))

    def _rules(self, pod: Object, way: str) -> Iterator[Object]:
        selecting = [p["spec"] for p in self._policies if selects(p["spec"]["podSelector"], pod)]
        ways = {kind.lower() for spec in selecting for kind in spec["policyTypes"]}
        assert way in ways, f"Without a policy for {way}, everything is allowed to {pod['metadata']['labels']}."
        for spec in selecting:
            yield from spec.get(way, [])

    def _meets(self, rule: Object, side: str, peer: Object, port: int) -> bool:
        if "ports" in rule and port not in [entry["port"] for entry in rule["ports"]]:
            return False
        return any(self._is(peer, entry) for entry in rule[side])

    def _is(self, peer: Object, entry: Object) -> bool:
        if "ipBlock" in entry:
            return True  # whether pods are meant, too, is up to the network plugin
        namespace = {"metadata": {"labels": {"kubernetes.io/metadata.name": self._namespace}}}
        here = "namespaceSelector" not in entry or selects(entry["namespaceSelector"], namespace)
        return here and selects(entry.get("podSelector", {}), peer)


def selects(selector: Object, found: Object) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= found["metadata"].get("labels", {}).items()


def setting(name: str) -> Any:
    """A setting's default."""
    return next(field.default for field in Settings.model_fields.values() if field.alias == name)


def broker_settings(path: Path = FOLDER / "rabbitmq.conf") -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(" = ") for line in lines)


OBJECTS = objects()
SCALED = objects(KEDA)
PODS = pods(OBJECTS)
OURS = {name: pod for name, pod in PODS.items() if name not in SERVERS}
WORKLOADS = {**of_kind("Deployment", OBJECTS), **of_kind("StatefulSet", OBJECTS)}
NAMESPACE = kustomization()["namespace"]
