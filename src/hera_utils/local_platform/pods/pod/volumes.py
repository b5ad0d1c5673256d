"""Mounts of a pod's volumes, which are folders of this machine, and of its input artifacts."""

from __future__ import annotations

import os
from typing import Any

from . import host_paths, open_beneath, volume_groups
from .environment import expand, field, template_variables
from .errors import LeadsOut, PodFault
from .folder_mounts import all_places_of
from .mount_points import Mount

Json = dict[str, Any]
_WRITTEN_BY_THE_NODE = frozenset(("configMap", "secret", "downwardAPI", "projected"))  # read-only for tasks


class Volumes:
    """folder: pods/<uid>; volumes that are created here (emptyDir, config maps, secrets) are in its `volumes`."""

    def __init__(self, job: Json, folder: str) -> None:
        self._job = job
        self._folder = folder
        self._volumes = {v["name"]: v for v in job["pod"]["spec"].get("volumes") or []}
        self._sources: dict[str, str] = {}

    def mounts(self, container: Json, env: dict[str, str]) -> list[Mount]:
        mounts = []
        for item in container.get("volumeMounts") or []:
            source = self._source(str(item.get("name")))
            sub_path = item.get("subPath") or expand(item.get("subPathExpr") or "", env)
            if sub_path:
                _prepare(source, sub_path, str(item["name"]), str(container.get("name") or "main"))
            volume = self._volumes[item["name"]]
            claim = volume.get("persistentVolumeClaim") or {}
            read_only = bool(item.get("readOnly") or claim.get("readOnly") or _WRITTEN_BY_THE_NODE & volume.keys())
            below = os.path.normpath(sub_path) if sub_path else ""
            is_plain = "hostPath" in volume or self._is_users(claim, source)
            mounts.append(Mount(source, os.path.normpath(item["mountPath"]), read_only, below, is_plain))
        return mounts

    def input_mounts(self, container: Json) -> list[Mount]:
        """Mounts of input artifacts at their paths, except those whose path is in a volume, which are moved there instead."""
        covered = [os.path.normpath(m["mountPath"]) for m in container.get("volumeMounts") or []]
        mounts = []
        for artifact in (self._job["template"].get("inputs") or {}).get("artifacts") or []:
            path = os.path.normpath(artifact.get("path") or "/")
            source = f"{self._folder}/inputs/{artifact['name']}"
            if (
                path != "/"
                and os.path.lexists(source)
                and not any(path == t or path.startswith(t + "/") for t in covered)
            ):
                mounts.append(Mount(source, path))
        return mounts

    def hosts(self) -> list[Mount]:
        """The mount of an /etc/hosts with the pod's `hostAliases`, in the kubelet's format; [] when it has none."""
        aliases = self._job["pod"]["spec"].get("hostAliases") or []
        if not aliases:
            return []
        path = f"{self._folder}/volumes/.hosts"
        if not os.path.exists(path):
            with open("/etc/hosts", "rb") as file:
                machines = file.read().rstrip(b"\n")
            lines = ["\t".join([str(alias.get("ip")), *map(str, alias.get("hostnames") or [])]) for alias in aliases]
            added = "\n".join(["", "", "# Entries added by HostAliases.", *lines, ""])
            _write(path, machines + added.encode(), 0o644)
        return [Mount(path, "/etc/hosts", True)]

    def cover(self, container: Json, env: dict[str, str], path: str) -> tuple[str, str] | None:
        """(folder of this machine, path below it) of a container's path in a volume, or None. Tasks may have put links there."""
        best: Mount | None = None
        for mount in self.mounts(container, env):
            if (path == mount.target or path.startswith(mount.target + "/")) and (
                best is None or len(mount.target) > len(best.target)
            ):
                best = mount
        return None if best is None else (best.source, best.below + path[len(best.target) :])

    def _source(self, name: str) -> str:
        if name in self._sources:
            return self._sources[name]
        volume = self._volumes.get(name)
        if volume is None:
            raise PodFault(f'the container mounts the volume "{name}", which the workflow does not define')
        host = volume.get("hostPath")
        if (claim := volume.get("persistentVolumeClaim")) is not None:
            folder = (self._job.get("claims") or {}).get(claim.get("claimName"))
            if folder is None:
                raise PodFault(f'persistentvolumeclaim "{claim.get("claimName")}" not found', "FailedScheduling")
            os.makedirs(folder, exist_ok=True)
            source = os.path.realpath(str(folder))
        elif host is not None:
            source = self._host_path(host, name)
        else:
            source = _below(f"{self._folder}/volumes", name)
            os.makedirs(source, exist_ok=True)
            if "emptyDir" in volume:
                os.chmod(source, 0o777)
            self._fill(volume, source)
        if host is None and (group := volume_groups.of_pod(self._job["pod"])) is not None:
            volume_groups.give(source, group, read_only=not {"persistentVolumeClaim", "emptyDir"} & set(volume))
        self._sources[name] = source
        return source

    def _is_users(self, claim: Json, source: str) -> bool:
        """Whether the user chose the claim's folder. Such a folder may be anywhere except in the state folder, like a hostPath."""
        return bool(claim) and not open_beneath.is_in(source, os.path.realpath(f"{self._job['state']}/claims"))

    def _host_path(self, host: Json, name: str) -> str:
        """The path of a hostPath with links resolved, so that the checked path is the mounted one."""
        hidden = all_places_of(self._job["state"])
        return host_paths.prepare(str(host.get("path")), str(host.get("type") or ""), name, hidden)

    def _fill(self, volume: Json, folder: str) -> None:
        if "configMap" in volume:
            self._files(folder, "config_maps", volume["configMap"], volume["configMap"].get("name"))
        elif "secret" in volume:
            self._files(folder, "secrets", volume["secret"], volume["secret"].get("secretName"))
        elif "downwardAPI" in volume:
            self._downward(folder, volume["downwardAPI"])
        elif "projected" in volume:
            for source in volume["projected"].get("sources") or []:
                if "configMap" in source:
                    self._files(folder, "config_maps", source["configMap"], source["configMap"].get("name"))
                elif "secret" in source:
                    self._files(folder, "secrets", source["secret"], source["secret"].get("name"))
                elif "downwardAPI" in source:
                    self._downward(folder, source["downwardAPI"])
        elif "emptyDir" not in volume and set(volume) - {"name"}:
            kind = next(k for k in volume if k != "name")
            raise PodFault(
                f'a volume of kind {kind} ("{volume["name"]}") is not available on this machine: use a claim, which '
                f"is a folder here"
            )

    def _files(self, folder: str, table: str, source: Json, name: Any) -> None:
        data = (self._job.get(table) or {}).get(name)
        if data is None:
            if source.get("optional"):
                return
            kind = "configmap" if table == "config_maps" else "secret"
            raise PodFault(f'{kind} "{name}" not found', "FailedMount")
        items = source.get("items")
        pairs = [(i["key"], i["path"], i.get("mode")) for i in items] if items else [(k, k, None) for k in data]
        for key, path, mode in pairs:
            if key not in data:
                if source.get("optional"):
                    continue
                raise PodFault(f'references non-existent config key: {key} of "{name}"', "FailedMount")
            text = data[key]
            raw = text.encode("latin-1") if table == "secrets" and _is_latin(text) else text.encode()
            _write(_below(folder, path), raw, int(mode if mode is not None else source.get("defaultMode") or 0o644))

    def _downward(self, folder: str, source: Json) -> None:
        for item in source.get("items") or []:
            if ref := item.get("fieldRef"):
                text = field(self._job, str(ref.get("fieldPath") or ""))
            else:
                ref = item.get("resourceFieldRef") or {}
                containers = {c.get("name"): c for c in self._job["pod"]["spec"].get("containers") or []}
                container = containers.get(ref.get("containerName")) or {}
                text = template_variables(
                    self._job,
                    {**container, "envFrom": [], "env": [{"name": "x", "valueFrom": {"resourceFieldRef": ref}}]},
                    {},
                )["x"]
            _write(
                _below(folder, item["path"]), text.encode(), int(item.get("mode") or source.get("defaultMode") or 0o644)
            )


def _is_latin(text: str) -> bool:
    return all(ord(c) < 256 for c in text)


def _prepare(folder: str, sub_path: str, volume: str, container: str) -> None:
    """Create a missing subPath, as the kubelet does. Raises PodFault if a link, which a task may have made, leads out of the volume."""
    _below(folder, sub_path)
    try:
        try:
            with open_beneath.at(folder, sub_path):
                pass
        except FileNotFoundError:
            with open_beneath.at(folder, sub_path, make=True):
                pass
    except LeadsOut:
        raise PodFault(
            f'failed to prepare subPath for volumeMount "{volume}" of container "{container}": a symbolic link in "{sub_path}" leads '
            "out of the volume: mount its target as a volume of its own",
            "CreateContainerConfigError",
        ) from None


def _below(folder: str, path: str) -> str:
    """The path of an entry in a volume. Raises PodFault for one that leads out of the volume."""
    inside = os.path.normpath(os.path.join(folder, path))
    if not (inside + "/").startswith(folder.rstrip("/") + "/"):
        raise PodFault(f'the path "{path}" leads out of its volume', "FailedMount")
    return inside


def _write(path: str, data: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
