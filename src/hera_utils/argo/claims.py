"""Kubernetes' validation of persistent volume claims (ValidatePersistentVolumeClaim)."""

from __future__ import annotations

from typing import Any

from hera_utils.argo import selectors
from hera_utils.argo.names import join_messages, metadata_faults, subdomain_faults
from hera_utils.argo.quantities import QuantityError, quantity

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")


def claim_fault(spec: dict[str, Any], metadata: dict[str, Any] | None = None) -> str:
    """The reason why a claim with this spec (and metadata, unless checked before) is invalid; "" if it is valid."""
    faults = metadata_faults(metadata) if metadata is not None else []
    modes = [str(mode) for mode in spec.get("accessModes") or ()]
    if not modes:
        faults.append("spec.accessModes: Required value: at least 1 access mode is required")
    faults += selectors.label_selector_faults(spec.get("selector") or {}, "spec.selector")
    faults += [
        _unsupported_value_fault("spec.accessModes", mode, _ACCESS_MODES) for mode in modes if mode not in _ACCESS_MODES
    ]
    if "ReadWriteOncePod" in modes and any(mode in _ACCESS_MODES[:-1] for mode in modes):
        faults.append("spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes")
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        faults.append("spec.resources[storage]: Required value")
    elif not _is_positive(str(storage)):
        faults.append(f'spec.resources[storage]: Invalid value: "{storage}": must be greater than zero')
    storage_class = str(spec.get("storageClassName") or "")
    if storage_class:
        field = f'spec.storageClassName: Invalid value: "{storage_class}": '
        faults += [field + fault for fault in subdomain_faults(storage_class)]
    mode = spec.get("volumeMode")
    if mode and mode not in _VOLUME_MODES:
        faults.append(_unsupported_value_fault("spec.volumeMode", str(mode), _VOLUME_MODES))
    return join_messages(faults) if faults else ""


def _unsupported_value_fault(field: str, value: str, allowed: tuple[str, ...]) -> str:
    return f'{field}: Unsupported value: "{value}": supported values: ' + ", ".join(f'"{choice}"' for choice in allowed)


def _is_positive(text: str) -> bool:
    try:
        return quantity(text) > 0
    except QuantityError:
        return True  # a text that is no quantity was refused before, with another message
