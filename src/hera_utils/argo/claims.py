"""What Kubernetes finds wrong with the spec of a persistent volume claim (ValidatePersistentVolumeClaimSpec)."""

from __future__ import annotations

from typing import Any

from hera_utils.argo.names import aggregate
from hera_utils.argo.quantities import QuantityError, quantity

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")


def complaint(spec: dict[str, Any]) -> str:
    """Why a claim of this spec is invalid; "" when it is not."""
    faults = []
    modes = [str(mode) for mode in spec.get("accessModes") or ()]
    if not modes:
        faults.append("spec.accessModes: Required value: at least 1 access mode is required")
    faults += [_unsupported("spec.accessModes", mode, _ACCESS_MODES) for mode in modes if mode not in _ACCESS_MODES]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        faults.append("spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes")
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        faults.append("spec.resources[storage]: Required value")
    elif not _positive(str(storage)):
        faults.append(f'spec.resources[storage]: Invalid value: "{storage}": must be greater than zero')
    mode = spec.get("volumeMode")
    if mode and mode not in _VOLUME_MODES:
        faults.append(_unsupported("spec.volumeMode", str(mode), _VOLUME_MODES))
    return aggregate(faults) if faults else ""


def _unsupported(field: str, value: str, allowed: tuple[str, ...]) -> str:
    return f'{field}: Unsupported value: "{value}": supported values: ' + ", ".join(f'"{one}"' for one in allowed)


def _positive(text: str) -> bool:
    try:
        return quantity(text) > 0
    except QuantityError:
        return True  # what is no quantity was refused before, in other words
