"""Tags and expressions for the interpreter: the variables carry the event's time and seed, errors become faults.

The evaluator is imported with the first expression, because most workflows have none and it is a sixth of a server's imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hera_utils.argo import gojson
from hera_utils.errors import ExpressionError
from hera_utils.expressions import tags
from hera_utils.expressions.entropy import Entropy
from hera_utils.interpreter.faults import Fault


class Variables(dict[str, Any]):
    """Dotted names and their values. entropy: the time and randomness for `now()` and random functions.

    A plain dictionary is never used for expressions: it has no entropy.
    """

    def __init__(self, values: Mapping[str, Any], entropy: Entropy) -> None:
        super().__init__(values)
        self.entropy = entropy

    def plus(self, more: Mapping[str, Any]) -> Variables:
        """These and more; `more` wins."""
        both = Variables(self, self.entropy)
        both.update(more)
        return both


def prepare(document: Any) -> tags.PreparedDocument:
    """A document with its tags found, to `replace` them many times. Raises Fault."""
    try:
        return tags.prepare(document)
    except ExpressionError as error:
        raise Fault(error.message) from None


def replace(
    document: Any, variables: Variables, *, unresolved: bool, strict: Sequence[str] = (), drawing: bool = True
) -> Any:
    """The document, prepared or not, with its tags replaced; never change the result in place.

    unresolved: tags without a value may stay, except those with a `strict` prefix. drawing: expressions of time and chance are
    evaluated too. Raises Fault.
    """
    try:
        return tags.replace(
            document,
            variables,
            entropy=variables.entropy,
            unresolved="keep" if unresolved else "refuse",
            strict=strict,
            drawing=drawing,
        )
    except ExpressionError as error:
        raise Fault(error.message) from None


def fill_in(prepared: tags.PreparedDocument, variables: Variables, *, unresolved: bool) -> Any:
    """As `replace`, for the step of an item: Argo reads what it gets without a check, and tells what its reader says."""
    try:
        rule: tags.Unresolved = "keep" if unresolved else "refuse"
        return prepared.replace(variables, entropy=variables.entropy, unresolved=rule)
    except tags.IllegalJson as error:
        raise Fault(gojson.json_fault(error.text)) from None
    except ExpressionError as error:
        raise Fault(error.message) from None


def evaluate(expression: str, variables: Variables) -> Any:
    """The value of an expression. Raises Fault."""
    from hera_utils.expressions.expr import program

    try:
        return program.evaluate(expression, variables, entropy=variables.entropy)
    except ExpressionError as error:
        raise Fault(error.message) from None


def evaluate_boolean(expression: str, variables: Variables) -> bool:
    """The value of a boolean expression over dotted variables (Argo: argoexpr.EvalBool). Raises Fault."""
    from hera_utils.expressions.expr import program

    try:
        return program.evaluate_truth(expression, variables, entropy=variables.entropy)
    except ExpressionError as error:
        raise Fault(error.message) from None


def evaluate_depends(expression: str, environment: Mapping[str, Any]) -> bool:
    """The value of a boolean expression over the results of tasks, as in `depends`. Raises Fault."""
    from hera_utils.expressions.expr import program

    try:
        return program.evaluate_boolean(expression, environment, entropy=Entropy())
    except ExpressionError as error:
        raise Fault(error.message) from None


def should_run(when: str | None) -> bool:
    """The value of a `when` with replaced tags; true without one. Raises Fault with Argo's message."""
    if not when:
        return True
    from hera_utils.expressions.govaluate.condition import evaluate_condition

    try:
        return evaluate_condition(when)
    except ExpressionError as error:
        raise Fault(error.message) from None
