"""What to do about what an Argo server refuses."""

import pytest

from hera_utils.argo.faults import ALREADY_EXISTS, INTERNAL, INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED, fix_of


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        (INVALID_ARGUMENT, "templates.d.tasks.f-1 templates.f inputs.parameters.b was not supplied",
         "give f-1 the parameter b among its arguments, or give the template f a default for it"),
        (INVALID_ARGUMENT, "templates.main.steps[0].go templates.f inputs.artifacts.data was not supplied",
         "give go the artifact data"),
        (INVALID_ARGUMENT, "templates.f inputs.parameters.b was not supplied", "give its task the parameter b"),
        (INVALID_ARGUMENT, "templates.main.tasks.fit template reference lab.tools.fit not found",
         "store lab.tools, with its template fit, first: hera-utils run FILE"),
        (NOT_FOUND, 'workflows.argoproj.io "swept" not found', "hera-utils runs has what was recorded"),
        (INVALID_ARGUMENT, "Workflow.argoproj.io \"\" is invalid: metadata.name: Required value: name or generateName is required",
         "give it a name, or a generateName"),
        (INVALID_ARGUMENT, 'Workflow.argoproj.io "fit-" is invalid: metadata.name: Invalid value: "fit-": a lowercase RFC 1123 subdomain',
         "write generateName in place of name"),
        (INVALID_ARGUMENT, "spec.entrypoint is required", "give it an entrypoint"),
        (INVALID_ARGUMENT, "spec.arguments.word.value or spec.arguments.word.valueFrom is required", "-p word=VALUE"),
        (INVALID_ARGUMENT, 'cannot validate Workflow: workflowtemplates.argoproj.io "dem" not found', "store dem first: hera-utils run"),
        (UNIMPLEMENTED, "spec.templates[1].plugin cannot be executed on this machine: plugins run elsewhere", "--argo_server"),
        (INVALID_ARGUMENT, "To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector",
         "--restart-successful --node-field-selector displayName=TASK"),
        (INVALID_ARGUMENT, "json: cannot unmarshal bool into Go struct field Parameter.spec.arguments.parameters.name of type string",
         "quote the value"),
        (INVALID_ARGUMENT, "json: cannot unmarshal number into Go struct field Container.spec.templates.container.args of type string",
         "a text there, not a number"),
        (INVALID_ARGUMENT, "cannot suspend completed workflows", "hera-utils get NAME"),
        (INTERNAL, 'cannot shutdown a completed workflow: workflow: "x", namespace: "y"', "hera-utils get NAME"),
        (NOT_FOUND, 'workflows.argoproj.io "x" not found', "hera-utils ls"),
        (ALREADY_EXISTS, 'workflows.argoproj.io "x" already exists', "hera-utils delete NAME"),
    ],
)  # fmt: skip
def test_a_refusal_has_a_fix(code, message, fix):
    assert fix in fix_of(code, message)


def test_an_unknown_failure_has_none():
    assert fix_of(INTERNAL, "boom") is None
