"""What others write (tasks, servers, projects) is shown on a terminal, never obeyed by it."""

import http.server
import json
import os
import pty
import re
import select
import subprocess
import sys
from urllib.parse import unquote

import pytest

from hera_utils.terminal_text import cell, log_lines, visible
from http_server import serve_http


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é\n\tnext", "plain é\n\tnext"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[8mconcealed", "concealed"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[H\r", "\\x1b[2J\\x1b[H\\x0d"),
        ("\x9b2J\0\x7f", "\\x9b2J\\x00\\x7f"),
        ("\u202egnp.exe\u2028", "\\u202egnp.exe\\u2028"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert visible(text) == shown


def test_a_cell_begins_no_row():
    assert cell("a\nb\tc") == "a\\nb c"


@pytest.mark.parametrize(
    ("line", "coloured", "plain"),
    [
        ("said", ["said"], ["said"]),
        ("\x1b[31mred\x1b[0m rest", ["\x1b[31mred\x1b[0m rest\x1b[0m"], ["red rest"]),
        ("\x1b[1;8mhidden \x1b[38;5;9mx", ["hidden \x1b[38;5;9mx\x1b[0m"], ["hidden x"]),
        ("\x1b[2Jgone\x1b[32mgreen", ["\\x1b[2Jgone\x1b[32mgreen\x1b[0m"], ["\\x1b[2Jgonegreen"]),
        (" 10%\r 20%\r\n", [" 10%", " 20%"], [" 10%", " 20%"]),
    ],
)
def test_a_tasks_own_colours_stay_on_a_terminal_and_end_with_the_line(line, coloured, plain):
    assert list(log_lines(line, colours=True)) == coloured
    assert list(log_lines(line, colours=False)) == plain


# --- the whole command line before a server that writes whatever it likes --------------------------------------------------

EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[1A\x9b31m\x1b[8mhidden\r\x08\u202egnp\x1b]52;c;cm0=\x07"
NODE = {
    "id": "n",
    "name": f"run{EVIL}",
    "displayName": f"task{EVIL}",
    "type": "Pod",
    "templateName": f"main{EVIL}",
    "phase": "Failed",
    "message": f"because{EVIL}",
    "startedAt": "2026-01-01T00:00:00Z",
    "finishedAt": "2026-01-01T00:00:09Z",
    "inputs": {"parameters": [{"name": f"p{EVIL}", "value": f"v{EVIL}"}]},
    "outputs": {"parameters": [{"name": f"o{EVIL}", "value": f"w{EVIL}"}], "exitCode": f"1{EVIL}"},
}
WORKFLOW = {
    "metadata": {
        "name": "run",  # test_names_of_servers tests that other names and labels are refused
        "namespace": "default",
        "uid": f"u{EVIL}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {f"l{EVIL}": "value", "workflows.argoproj.io/completed": "true"},
        "annotations": {EVIL: EVIL},
    },
    "spec": {
        "entrypoint": f"main{EVIL}",
        "arguments": {"parameters": [{"name": f"a{EVIL}", "value": f"x{EVIL}"}]},
        "templates": [{"name": f"main{EVIL}", "container": {"image": EVIL}}],
    },
    "status": {
        "phase": "Failed",
        "message": f"the run{EVIL}",
        "progress": "0/1",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:09Z",
        "outputs": {"parameters": [{"name": f"g{EVIL}", "value": EVIL}]},
        "conditions": [{"type": "SpecWarning", "status": "True", "message": EVIL}],
        "nodes": {"n": NODE},
    },
}


class Evil(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = unquote(self.path)
        if "/log" in path:
            content = {"podName": f"pod{EVIL}", "content": f"\x1b[31msaid\x1b[0m {EVIL}"}
            return self.answer(200, b"data: " + json.dumps({"result": content}).encode() + b"\n\n", "text/event-stream")
        if "/version" in path:
            return self.answer(200, json.dumps({"version": f"v4.1.2{EVIL}"}).encode())
        if "workflow-events" in path or "/events" in path:
            event = {"type": "ADDED", "object": WORKFLOW}
            return self.answer(200, b"data: " + json.dumps({"result": event}).encode() + b"\n\n", "text/event-stream")
        if re.search(r"/workflows/default/?(\?|$)", path):
            return self.answer(200, json.dumps({"metadata": {}, "items": [WORKFLOW]}).encode())
        if "/workflows/default/run" in path:
            return self.answer(200, json.dumps(WORKFLOW).encode())
        if "/workflows/" in path or "/cron-workflows/default/" in path:
            return self.answer(404, json.dumps({"code": 5, "message": f"not here{EVIL}"}).encode())
        return self.answer(200, b'{"metadata": {}, "items": null}')

    def do_PUT(self):
        self.answer(403, json.dumps({"code": 7, "message": f"you may not{EVIL}"}).encode())

    def do_DELETE(self):
        self.answer(500, json.dumps({"code": 13, "message": f"no{EVIL}"}).encode())

    do_POST = do_PUT

    def answer(self, status, body, kind="application/json"):
        self.send_response(status, EVIL.replace("\r", "").encode("ascii", "replace").decode())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


COMMANDS = [
    ["ls"],
    ["ls", "-o", "json"],
    ["ls", "-o", "name"],
    ["get", "run"],
    ["get", "run", "-o", "json"],
    ["get", "run", "-o", "yaml"],
    ["logs", "run"],
    ["watch", "run"],
    ["results", "run", "--tasks", "--wide"],
    ["results", "run", "-o", "csv"],
    ["stop", "run"],
    ["delete", "run"],
    ["get", f"other{EVIL}"],
    ["version"],
    ["doctor"],
    ["settings"],
    ["trust"],
    [f"ls{EVIL}"],
]
PROGRAM = f"""
import sys
from hera_utils.cli.main import run_command_line
for words in {COMMANDS!r}:
    print("===", ascii(words), flush=True)
    run_command_line(words)
    sys.stdout.flush()
"""
OURS = re.compile(r"\x1b\[(?:[0-9]|[0-9]{2}|;)*m|\x1b\[\?25[hl]|\x1b\[2K|\x1b\[1A|\r\n|\r\x1b\[2K|\r(?=\x1b)|\r$")


def on_a_terminal(command, **options):
    """The output of a program on a terminal, including its errors."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, **options):
        os.close(theirs)
        written = b""
        while True:
            try:
                select.select([ours], [], [])
                piece = os.read(ours, 65536)
            except OSError:  # the other side has closed it
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    return written.decode("utf-8", "replace")


def test_no_command_prints_control_characters_of_others(tmp_path):
    (tmp_path / "hera-utils.toml").write_text(
        f"argo_namespace = 'default'\nregistry = {json.dumps('r' + EVIL)}\n[images]\n{json.dumps(EVIL)} = \"pull\"\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA"))}
    environ |= {
        "HOME": str(tmp_path), "TERM": "xterm-256color", "ARGO_TOKEN": "x", "ARGO_SECURE": "false",
        "COLUMNS": "200", "LINES": "50",
    }  # fmt: skip
    with serve_http(Evil) as server:
        environ["ARGO_SERVER"] = server.url.removeprefix("http://")
        written = on_a_terminal([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environ)
    parts = re.split(r"=== (\[.*?\])\r\n", written)[1:]
    said = dict(zip(parts[::2], parts[1::2], strict=True))
    assert len(said) == len(COMMANDS), written
    for words, text in said.items():
        assert "Traceback" not in text, (words, text)
        for forbidden in ("\x1b]", "\x1b[2J", "\x9b", "\x07", "\x08", "\u202e", "\x1b[8m", "\rhidden"):
            assert forbidden not in text, (words, text)
    shown = [words for words, text in said.items() if "\\x1b]0;owned" in text or "\\u001b]0;owned" in text]
    assert len(shown) >= 12, [words for words in said if words not in shown]
    assert "\x1b[31msaid\x1b[0m" in said["['logs', 'run']"]
