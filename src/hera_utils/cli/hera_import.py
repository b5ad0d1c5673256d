"""The first import of Hera in this process, in five sixths of its time (decision 44).

Hera describes Argo's objects by 300 classes of pydantic's, and pydantic completes each as soon as it is defined: it goes through all that
the class consists of, again for each class. Here a class is completed when it is used first (`defer_build`, an option of pydantic's),
but for those of which several others consist: they come before any use, so that nothing goes through them again.

Nothing of this stays. A script's own models are completed, and their mistakes told, where they are defined.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args


def import_hera() -> None:
    """Nothing of it goes again: to look through a hundred thousand objects for garbage, now or later, would find nothing."""
    gc.disable()
    with contextlib.suppress(Exception), _deferred_models():  # the script says why
        import hera.workflows  # noqa: F401
    gc.freeze()
    gc.enable()


@contextlib.contextmanager
def _deferred_models() -> Iterator[None]:
    """While it lasts models are defined and not completed, also where `model_rebuild` asks for it: those are completed at its end."""
    import pydantic

    base: Any = pydantic.BaseModel
    others, unresolved = set(_below(base)), list[Any]()
    model_rebuild = vars(base)["model_rebuild"]
    base.model_rebuild = classmethod(lambda model, **_: unresolved.append(model))
    base.model_config["defer_build"] = True
    try:
        yield
    finally:
        base.model_rebuild = model_rebuild
        deferred = [model for model in _below(base) if model not in others]
        for model in (base, *deferred):
            model.model_config.pop("defer_build", None)
    # who asked names classes that come later: they are looked up now, not where it is used first
    for model in (*_shared(deferred), *unresolved):
        model.model_rebuild()


def _below(base: Any) -> Iterator[Any]:
    for model in base.__subclasses__():
        yield model
        yield from _below(model)


def _shared(models: list[Any]) -> list[Any]:
    """Those of which more than one of the others consists, in their order: a part is defined before the whole."""
    uses = Counter(part for model in models for part in set(_parts(model)))
    return [model for model in models if uses[model] > 1]


def _parts(model: Any) -> Iterator[Any]:
    for field in model.model_fields.values():
        yield from _models_in(field.annotation, type(model))


def _models_in(annotation: Any, kind: type) -> Iterator[Any]:
    if isinstance(annotation, kind):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner, kind)
