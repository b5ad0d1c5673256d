"""Replaces templates by Python functions, to test the structure of a workflow without its containers.

A replaced template stays a pod of the local platform, with its inputs, outputs, volumes, retries and conditions. The pod runs a few
lines that send the inputs to the test's process, where the function is called, and receive its result. So functions may use all
objects of the test, and many run at once, each in its own thread.

The function receives those of the template's input parameters that it names (`-` becomes `_`), as Hera passes them to a `@script()`:
JSON is decoded (`2009` is a number) unless the annotation says otherwise (`vintages: str`). An input artifact that is a file is passed
as text (`data: bytes` for bytes). The function returns

- a dictionary: output parameters and artifacts by name (a text, bytes, a number; lists and dictionaries become JSON);
- anything else but None: the result (`{{tasks.NAME.outputs.result}}`).

If it raises, the task fails with its message, and the traceback is in the task's log.
"""

from __future__ import annotations

import base64
import copy
import functools
import hmac
import inspect
import json
import secrets
import socketserver
import threading
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace as replaced
from typing import Any

from hera_utils.errors import HeraUtilsError, SettingsError
from hera_utils.experiment.conversion import convert
from hera_utils.experiment.experiment import Define, Experiment
from hera_utils.experiment.values import text
from hera_utils.wording import did_you_mean

Json = dict[str, Any]

_KINDS = ("script", "container", "containerSet", "dag", "steps", "resource", "data", "http", "suspend", "plugin")
_BESIDE = ("initContainers", "sidecars", "executor", "daemon")  # fields that are removed with the replaced container
_IMAGE = "python:3"
_OUTPUTS = "/tmp/hera-utils-outputs"
_LONGEST_MESSAGE = 2000  # characters of an exception's message

# The script of the pod, with the standard library only. The inputs are in its text, so they may be of any length.
_COURIER = """
import base64, json, os, socket, sys
address, key, name, files, places = json.loads(sys.argv[1])
with open(sys.argv[2]) as file:
    given = {one["name"]: one.get("value", "") for one in json.load(file)}
sent = {}
for artifact, path in files.items():
    if os.path.isfile(path):
        with open(path, "rb") as file:
            sent[artifact] = base64.b64encode(file.read()).decode()
with socket.create_connection(address) as wire:
    stream = wire.makefile("rwb")
    stream.write(json.dumps([key, name, given, sent]).encode() + b"\\n")
    stream.flush()
    answer = json.loads(stream.readline() or b'{"error": "the test that replaces this template is over", "trace": ""}')
if "error" in answer:
    print((answer["trace"] or answer["error"]).rstrip(), file=sys.stderr, flush=True)
    try:
        with open("/dev/termination-log", "w") as file:
            file.write(answer["error"])
    except OSError:
        pass
    sys.exit(1)
for output, content in answer["outputs"].items():
    os.makedirs(os.path.dirname(places[output]), exist_ok=True)
    with open(places[output], "wb") as file:
        file.write(base64.b64decode(content))
sys.stdout.write(answer["result"])
"""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128  # all tasks of a fan-out call at once


class Stage:
    """Calls the functions of a test: a server of this process on loopback that answers only requests with its key."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = dict(functions)
        self._key = secrets.token_hex(16)
        self._declared: dict[str, Json] = {}
        self._reported: set[str] = set()
        self._replaced: set[str] = set()
        for name, function in self._functions.items():
            if not callable(function):
                raise SettingsError(
                    f"the template `{name}` cannot be replaced by {function!r}", fix="give a function of its inputs"
                )
        stage = self

        class FunctionCall(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(json.dumps(stage._answer(self.rfile.readline())).encode() + b"\n")

        self._server = _Server(("127.0.0.1", 0), FunctionCall)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Stage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def experiment(self, experiment: Experiment) -> Experiment:
        """The experiment with the templates of its workflows replaced."""
        gather = None if experiment.gather is None else self._replace_in(experiment.gather)
        return replaced(experiment, workflow=self._replace_in(experiment.workflow), gather=gather)

    def _replace_in(self, define: Define) -> Define:
        from hera_utils.execution.definition import document_of

        @functools.wraps(define)
        def defined(environment: Any, inputs: Any, layout: Any) -> Json:
            return self.document(document_of(define(environment, inputs, layout)))

        return defined

    def document(self, document: Json) -> Json:
        """A copy of the workflow with its templates replaced. Raises SettingsError if a function does not fit its template."""
        copy_of = copy.deepcopy(document)
        templates = (copy_of.get("spec") or {}).get("templates") or []
        for template in templates:
            name = str(template.get("name", ""))
            self._reported.add(name)
            if name in self._functions:
                self._replaced.add(name)
                self._replace(name, template)
        return copy_of

    def insist(self) -> None:
        """Raise SettingsError if no workflow had the template of a function, as a mistyped name would test nothing."""
        for name in self._functions:
            if name not in self._replaced:
                hint = did_you_mean(name, self._reported)
                raise SettingsError(
                    f"no template is named `{name}`{hint}",
                    fix=f"the workflow's own templates are: {', '.join(sorted(self._reported)) or 'none'}",
                )

    def _replace(self, name: str, template: Json) -> None:
        self._declared[name] = _declared_names(template)
        _arguments(name, self._functions[name], self._declared[name])
        before: Json = {}
        for kind in _KINDS:
            before = template.pop(kind, None) or before
        for field in _BESIDE:
            template.pop(field, None)
        places = _places(template)
        inputs = template.get("inputs") or {}
        files = {a["name"]: a["path"] for a in inputs.get("artifacts") or () if a.get("path")}
        arguments = [list(self._server.server_address[:2]), self._key, name, files, places]
        mounts = before.get("volumeMounts") if isinstance(before, dict) else None
        template["script"] = {
            "image": _IMAGE,
            "command": ["python3", "-I", "-S", "-c", _COURIER, json.dumps(arguments)],
            "source": "{{inputs.parameters}}" if inputs.get("parameters") else "[]",
            **({"volumeMounts": mounts} if mounts else {}),
        }

    def _answer(self, line: bytes) -> Json:
        try:
            key, name, inputs, files = json.loads(line)
        except ValueError:
            return {"error": "this is not a call of a replaced template", "trace": ""}
        if not hmac.compare_digest(str(key), self._key):
            return {"error": "this is not a call of this test", "trace": ""}
        try:
            arguments = _decode_arguments(name, self._functions[name], inputs, files)
            return self._pack_outputs(name, self._functions[name](**arguments))
        except HeraUtilsError as error:
            return {"error": error.message, "trace": error.message}
        except BaseException as error:  # noqa: BLE001  whatever a test's function raises is how its task ends
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return {"error": text[:_LONGEST_MESSAGE], "trace": traceback.format_exc()}

    def _pack_outputs(self, name: str, returned: Any) -> Json:
        declared = self._declared[name]
        outputs = [*declared["outputs"], *declared["files"], *declared["optional_files"]]
        values = returned if isinstance(returned, Mapping) else {}
        for key_name in values:
            if key_name not in outputs:
                raise SettingsError(
                    f"the template `{name}` has no output `{key_name}`; it has: {', '.join(outputs) or 'none'}",
                    fix=f"leave `{key_name}` out of what the replacement returns",
                )
        for key_name in (*declared["outputs"], *declared["files"]):
            if key_name not in values and key_name not in declared["optional"]:
                raise SettingsError(
                    f"the replacement of `{name}` returned no `{key_name}`; it returned: {', '.join(values) or 'nothing'}",
                    fix=f'return {{"{key_name}": …}}',
                )
        result = "" if returned is None or isinstance(returned, Mapping) else text(returned)
        return {
            "outputs": {key_name: base64.b64encode(_bytes(content)).decode() for key_name, content in values.items()},
            "result": result,
        }


@contextmanager
def stage(functions: Mapping[str, Callable[..., Any]] | None) -> Iterator[Stage | None]:
    """The stage for these functions for the duration of the block; None without functions."""
    if not functions:
        yield None
        return
    with Stage(functions) as stage_of_functions:
        yield stage_of_functions


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else text(content).encode()


def _places(template: Json) -> dict[str, str]:
    """Output → the path to write it to. Outputs that had another source (a DAG's tasks, a resource) come from files, too."""
    places: dict[str, str] = {}
    outputs = template.get("outputs") or {}
    for parameter in outputs.get("parameters") or ():
        source = parameter.get("valueFrom") or {}
        path = str(source.get("path") or f"{_OUTPUTS}/parameters/{parameter['name']}")
        default = {"default": source["default"]} if source.get("default") is not None else {}
        parameter["valueFrom"] = {"path": path, **default}
        parameter.pop("value", None)
        places[parameter["name"]] = path
    for artifact in outputs.get("artifacts") or ():
        artifact.pop("from", None)
        artifact.pop("fromExpression", None)
        artifact.setdefault("path", f"{_OUTPUTS}/artifacts/{artifact['name']}")
        places[artifact["name"]] = artifact["path"]
    return places


def _declared_names(template: Json) -> Json:
    """The names of a template's inputs and outputs. optional: the outputs that have a default."""
    inputs, outputs = template.get("inputs") or {}, template.get("outputs") or {}
    parameters, artifacts = outputs.get("parameters") or (), outputs.get("artifacts") or ()
    return {
        "parameters": [parameter["name"] for parameter in inputs.get("parameters") or ()],
        "artifacts": [artifact["name"] for artifact in inputs.get("artifacts") or ()],
        "outputs": [parameter["name"] for parameter in parameters],
        "optional": [
            parameter["name"]
            for parameter in parameters
            if (parameter.get("valueFrom") or {}).get("default") is not None
        ],
        "files": [artifact["name"] for artifact in artifacts if not artifact.get("optional")],
        "optional_files": [artifact["name"] for artifact in artifacts if artifact.get("optional")],
    }


def _arguments(name: str, function: Callable[..., Any], declared: Json) -> None:
    """Raise SettingsError unless the function can be called with the template's inputs."""
    there = {_word(name) for name in (*declared["parameters"], *declared["artifacts"])}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or parameter.name in there:
            continue
        if parameter.default is parameter.empty or parameter.kind is parameter.POSITIONAL_ONLY:
            hint = did_you_mean(parameter.name, there)
            raise SettingsError(
                f"the replacement of `{name}` takes `{parameter.name}`, which is not an input of that template{hint}",
                fix=f"its inputs are: {', '.join(sorted(there)) or 'none'}",
            )


def _decode_arguments(
    name: str, function: Callable[..., Any], inputs: Mapping[str, str], files: Mapping[str, str]
) -> dict[str, Any]:
    signature = inspect.signature(function, eval_str=False)
    open_ended = any(
        parameter_name.kind is parameter_name.VAR_KEYWORD for parameter_name in signature.parameters.values()
    )
    hints = _hints(function)
    decoded: dict[str, Any] = {}
    for parameter_name, value in inputs.items():
        word = _word(parameter_name)
        if open_ended or word in signature.parameters:
            wanted = hints.get(word)
            decoded[word] = (
                convert(value, wanted, f"{name}.{parameter_name}", written=True)
                if wanted is not None
                else _decode_as_hera(value)
            )
    for parameter_name, content in files.items():
        word = _word(parameter_name)
        if open_ended or word in signature.parameters:
            data = base64.b64decode(content)
            decoded[word] = data if hints.get(word) is bytes else data.decode("utf-8", "replace")
    return decoded


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):
        return {}


def _decode_as_hera(value: str) -> Any:
    """Hera's rule for the arguments of a `@script()`: decoded if it is JSON, else the text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _word(name: str) -> str:
    return name.replace("-", "_")
