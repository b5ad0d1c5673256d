"""Imports Hera for the first time in this process, in five sixths of the usual time (decision 44).

Hera describes Argo's objects by 300 pydantic models, and pydantic completes each as soon as it is defined: it walks through all parts of
the model, again for each model. Here a model is completed at its first use instead (pydantic's option `defer_build`), except those that
are parts of several others: they are completed once, before any use, so that pydantic does not walk through them again.

Afterwards pydantic works as usual: a script's own models are completed, and their mistakes reported, where they are defined.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

from hera_utils.cli.deferred_modules import deferred_modules


def import_hera() -> None:
    """Import Hera without garbage collection. Its hundred thousand objects are never freed, so `gc.freeze` keeps the collector from
    searching them later.
    """
    gc.disable()
    with (
        contextlib.suppress(Exception),
        deferred_modules(),
        _defer_completion(),
    ):  # the script's own import will report the error
        import hera.workflows  # noqa: F401
    gc.freeze()
    gc.enable()


@contextlib.contextmanager
def _defer_completion() -> Iterator[None]:
    """Inside, models are defined but not completed, even if `model_rebuild` is called; those are completed at the end."""
    import pydantic

    base: Any = pydantic.BaseModel
    others, unresolved = set(_subclasses_of(base)), list[Any]()
    model_rebuild = vars(base)["model_rebuild"]
    base.model_rebuild = classmethod(lambda model, **_: unresolved.append(model))
    base.model_config["defer_build"] = True
    try:
        yield
    finally:
        base.model_rebuild = model_rebuild
        deferred = [model for model in _subclasses_of(base) if model not in others]
        for model in (base, *deferred):
            model.model_config.pop("defer_build", None)
    # a model that called `model_rebuild` names classes that are defined after it: now they can be looked up
    for model in (*_models_in_several(deferred), *unresolved):
        model.model_rebuild()


def _subclasses_of(base: Any) -> Iterator[Any]:
    for model in base.__subclasses__():
        yield model
        yield from _subclasses_of(model)


def _models_in_several(models: list[Any]) -> list[Any]:
    """The models that are parts of more than one other, in their order of definition: a part comes before the whole."""
    uses = Counter(part for model in models for part in set(_models_of_fields(model)))
    return [model for model in models if uses[model] > 1]


def _models_of_fields(model: Any) -> Iterator[Any]:
    for field in model.model_fields.values():
        yield from _models_in(field.annotation, type(model))


def _models_in(annotation: Any, kind: type) -> Iterator[Any]:
    if isinstance(annotation, kind):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner, kind)
