"""A Python task that is a fork behaves like a new interpreter: the same programs are started both ways."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import venv
from pathlib import Path
from typing import Any

import pytest
from stage import Stage

from waiting import until

Json = dict[str, Any]
HERE = Path(__file__).parent
PODS = Path(__file__).resolve().parents[3] / "src/hera_utils/local_platform/pods"
ENV_ALONE = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
ENV = ENV_ALONE | {"OWN": "1"}

PROGRAMS = {
    "globals": "print({k: v if k == '__file__' else str(type(v)) for k, v in globals().items()}, __builtins__, __name__, __doc__)",
    "sys": """
        import sys
        print(sys.argv, sys.orig_argv, sys.path, sys.flags, sys.executable, sys.prefix, sys.getrecursionlimit(), sys.warnoptions)
    """,
    "process": """
        import os
        print(sorted(os.environ.items()), os.getcwd(), os.umask(0o22), sorted(os.listdir("/proc/self/fd")), os.getsid(0) == os.getpid())
    """,
    "signals": """
        import signal
        print({s: str(signal.getsignal(s)) for s in signal.valid_signals()}, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    """,
    "streams": """
        import sys
        for s in (sys.stdin, sys.stdout, sys.stderr):
            print(s, s.encoding, s.errors, s.line_buffering, s.write_through, s.mode, s.newlines, s.buffer, s.buffer.raw)
            print(s is getattr(sys, f"__{s.name.strip('<>')}__"), s.isatty())
    """,
    "settings": """
        import gc, locale, threading, time
        print(gc.isenabled(), gc.get_threshold(), locale.setlocale(locale.LC_CTYPE), locale.getpreferredencoding(), time.tzname)
        print(threading.enumerate()[0].name, threading.current_thread() is threading.main_thread(), threading.active_count())
    """,
    "no newline": "print('é', end='')",
    "raises": "def f():\n    raise ValueError('boom')\nf()",
    "chain": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('x') from error",
    "group": "import traceback\ntry:\n    import nothing_of_the_sort\nexcept ImportError:\n    traceback.print_exc()",
    "no syntax": "x = (",
    "bad bytes": b"x = '\xff'",
    "latin source": b"# coding: latin-1\nprint(ascii('\xe9'))",
    "exit": "raise SystemExit(300)",
    "exit with words": "import sys\nprint('a')\nsys.exit('words')",
    "exit with nothing": "import sys\nsys.exit()",
    "_exit": "import os\nprint('lost')\nos._exit(7)",
    "signal": "import os, signal\nprint('lost')\nos.kill(os.getpid(), signal.SIGTERM)",
    "interrupt": "raise KeyboardInterrupt",
    "caught interrupt": """
        import os, signal
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            print("caught")
    """,
    "closed stdout": "import sys\nprint('x')\nsys.stdout.close()",
    "own hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__)\n1 / 0",
    "failing hook": "import sys\nsys.excepthook = None\n1 / 0",
    "unflushed file": "f = open('written.txt', 'w')\nf.write('all of it')",
    "end of the interpreter": """
        import atexit, threading, time, weakref
        class Loud:
            def __init__(self, name):
                self.name = name
                weakref.finalize(self, print, "finalized", name)
            def __del__(self):
                print("deleted", self.name)
        _private, plain, cycle = Loud("private"), Loud("plain"), Loud("cycle")
        cycle.self = cycle
        def uses():
            return plain
        def generator():
            try:
                yield
            finally:
                print("generator")
        running = generator()
        next(running)
        atexit.register(print, "atexit")
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
        print("end of the code")
    """,
    "locals of the error": "class A:\n    def __del__(self): print('gone')\ndef f():\n    a = A()\n    raise ValueError\nf()",
    "module beside it": "import beside\nprint(beside.x, beside.__file__)",
    "from C": "import ctypes\nctypes.CDLL(None).printf(b'from C\\n')\nprint('from Python')",
    "multiprocessing": """
        import multiprocessing
        def square(x):
            return x * x
        if __name__ == "__main__":
            print(multiprocessing.get_start_method(), multiprocessing.current_process().name)
            for way in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(way).Pool(2) as pool:
                    print(way, pool.map(square, range(4)))
    """,
    "executors": """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        async def main():
            await asyncio.sleep(0)
            print("async", await asyncio.to_thread(abs, -1))
        asyncio.run(main())
        with ThreadPoolExecutor() as pool:
            print(list(pool.map(abs, [-1, 2])))
    """,
    "logging": "import logging, warnings\nlogging.warning('careful')\nwarnings.warn('careful too')",
    "subprocess": "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(3)'], capture_output=True).stdout)",
    "pickle": """
        import dataclasses, pickle, typing
        @dataclasses.dataclass
        class Point:
            x: "int" = 1
        print(pickle.loads(pickle.dumps(Point())), typing.get_type_hints(Point), Point.__module__)
    """,
    "depth": "def deeper(): deeper()\ntry:\n    deeper()\nexcept RecursionError as error:\n    print(error)",
    "a package": """
        import sys
        print("yaml" in sys.modules)
        import yaml
        print(yaml.safe_load("a: [1]"), yaml.__spec__.name, yaml.__spec__.origin, sorted(n for n in sys.modules if n.startswith("yaml")))
    """,
    "a part of a package": """
        import sys
        from pydantic.fields import Field
        from pydantic import BaseModel
        class Model(BaseModel):
            x: int = Field(1)
        print(Model(), Model.model_json_schema(), "pydantic.fields" in sys.modules, "yaml" in sys.modules)
    """,
    "none of a package": "import sys\nprint('pydantic' in sys.modules, 'yaml' in sys.modules, 'pod' in sys.modules, 'hera' in sys.modules)",
}


def run(folder: Path, runs: list[list[str]], env: dict[str, str] = ENV) -> list[Json]:
    asked = json.dumps({"runs": runs, "env": env, "folder": str(folder)})
    code = (HERE / "forking_worker.py").read_text()
    command = [runs[0][0], "-c", code, str(PODS), asked]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV_ALONE, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    ends: list[Json] = json.loads(done.stdout)
    return ends


def written(folder: Path, source: str | bytes, name: str = "task") -> str:
    file = folder / name
    file.write_bytes(source if isinstance(source, bytes) else textwrap.dedent(source).encode())
    return str(file)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_fork_is_as_a_new_process(tmp_path: Path, name: str) -> None:
    """Each program runs three times: the second and third fork have the modules that the first one imported."""
    (tmp_path / "beside.py").write_text("x = 1\n")
    argv = [sys.executable, written(tmp_path, PROGRAMS[name]), "a", "b c"]
    ends = run(tmp_path, [argv] * 3, ENV_ALONE)
    file = tmp_path / "written.txt"
    left = file.read_text() if file.exists() else ""
    new = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        env=ENV_ALONE,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
        timeout=60,
    )
    expected = {"forked": True, "code": new.returncode, "out": new.stdout, "err": new.stderr}
    assert ends == [expected] * 3
    assert left == (file.read_text() if file.exists() else "")


AS_CODE = (
    *(
        "globals",
        "sys",
        "process",
        "signals",
        "streams",
        "raises",
        "chain",
        "no syntax",
        "exit with words",
        "_exit",
        "interrupt",
    ),
    *("own hook", "end of the interpreter", "module beside it", "subprocess", "depth", "a package"),
)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="code of -c is a new process there")
@pytest.mark.parametrize("name", AS_CODE)
def test_a_fork_for_code_is_as_a_new_process(tmp_path: Path, name: str) -> None:
    source = PROGRAMS[name]
    assert isinstance(source, str)
    (tmp_path / "beside.py").write_text("x = 1\n")
    argv = [sys.executable, "-c", textwrap.dedent(source), "a", "b c"]
    ends = run(tmp_path, [argv] * 2, ENV_ALONE)
    how: Json = {"stdin": subprocess.DEVNULL, "start_new_session": True, "check": False, "timeout": 60}
    new = subprocess.run(argv, capture_output=True, text=True, env=ENV_ALONE, cwd=tmp_path, **how)
    expected = {"forked": True, "code": new.returncode, "out": new.stdout, "err": new.stderr}
    assert ends == [expected] * 2


def test_forks_draw_different_numbers(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    source = (
        "import random, uuid, numpy, numpy.random, tempfile\nprint(random.random(), uuid.uuid4(), numpy.random.rand())"
    )
    ends = run(tmp_path, [[sys.executable, written(tmp_path, source)]] * 4, ENV_ALONE)
    drawn = [word for end in ends for word in end["out"].split()]
    assert len(drawn) == len(set(drawn)) == 12


def test_numerical_libraries_compute_in_forks(tmp_path: Path) -> None:
    """OpenBLAS ends its threads before a fork, and each fork starts its own."""
    pytest.importorskip("numpy")
    source = "import numpy\na = numpy.ones((300, 300))\nprint((a @ a).sum(), numpy.linalg.eigvalsh(a)[-1].round())"
    ends = run(tmp_path, [[sys.executable, written(tmp_path, source)]] * 20, ENV_ALONE)
    assert {(end["forked"], end["out"]) for end in ends} == {(True, "27000000.0 300.0\n")}


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (["-u", "task"], {}),
        (["-c"], {}),
        (["-cprint(1)"], {}),
        (["-I", "-c", "print(1)"], {}),
        (["-m", "json.tool"], {}),
        ([], {}),
        (["absent"], {}),
        (["."], {}),
        (["task"], {"PYTHONHASHSEED": "1"}),
        (["task"], {"PYTHONUNBUFFERED": "1"}),
        (["task"], {"LD_PRELOAD": "x"}),
        (["task"], {"LC_ALL": "de_DE.UTF-8"}),
        (["task"], {"LANG": "de_DE.ISO-8859-1"}),
        (["task"], {"HOME": "/elsewhere"}),
        (["task"], {"HERA_UTILS_WARM_PYTHON": "off"}),
        (["shadowed/task"], {}),
        (["task"], {"PYTHONPATH": "shadowed"}),
        (["task"], {"PYTHONPATH": "customized"}),
    ],
)
def test_another_start_is_a_new_process(tmp_path: Path, arguments: list[str], env: dict[str, str]) -> None:
    written(tmp_path, "print(1)")
    for folder, name in (("shadowed", "json.py"), ("customized", "sitecustomize.py")):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder, "print(1)")
        written(tmp_path / folder, "", name)
    (end,) = run(tmp_path, [[sys.executable, *arguments]], ENV_ALONE | env)
    assert not end["forked"]


def test_another_interpreter_is_a_new_process(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    task = written(tmp_path, "print(1)")
    ends = run(tmp_path, [[sys.executable, task], [str(tmp_path / "env/bin/python"), task]], ENV_ALONE)
    assert [end["forked"] for end in ends] == [True, False]


def test_variables_that_a_library_might_read_keep_what_is_imported_away(tmp_path: Path) -> None:
    """When no package is preloaded, a variable of the template is seen by the task only."""
    plain, package = (
        written(tmp_path, "import os\nprint(os.environ['OWN'])"),
        written(tmp_path, "import yaml", "package"),
    )
    ends = run(tmp_path, [[sys.executable, plain], [sys.executable, package], [sys.executable, plain]])
    assert [end["forked"] for end in ends] == [True, True, False]


def test_what_leaves_threads_is_not_kept(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    program = str(tmp_path / "env/bin/python")
    (packages,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    written(
        packages,
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "busy.py",
    )
    written(packages, "", "calm.py")
    (packages / "__pycache__").mkdir(exist_ok=True)  # one that is made now would look like an installation
    task = written(tmp_path, "import busy, calm, threading\nprint(threading.active_count())")
    calm = written(
        tmp_path, "import calm, sys\nprint(type(sys.meta_path[0]).__name__, len(sys.meta_path[0]))", "calm_task"
    )
    ends = run(tmp_path, [[program, one] for one in (task, task, calm, calm)], ENV_ALONE)
    assert [(end["forked"], end["out"]) for end in ends[:2]] == [(True, "2\n")] * 2
    assert [end["forked"] for end in ends] == [True] * 4


@pytest.mark.parametrize(
    "source",
    [
        "print('hello')",
        "import os\nos.write(2, b'hello')",
        "import ctypes\nctypes.CDLL(None).puts(b'hello')",
        "import sys\nsys.stdout = sys.stderr",
        "import sys\nsys.stdout.reconfigure(line_buffering=True)",
    ],
)
def test_what_writes_or_changes_streams_is_not_kept(tmp_path: Path, source: str) -> None:
    """Only a task that imports it sees its effects."""
    venv.create(tmp_path / "env", symlinks=True)
    program = str(tmp_path / "env/bin/python")
    (packages,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    written(packages, source, "loud.py")
    (packages / "__pycache__").mkdir(exist_ok=True)  # one that is made now would look like an installation
    show = "import sys\nprint(sys.stdout is sys.__stdout__, sys.stdout.line_buffering, sys.stdout is sys.stderr)"
    loud, calm = [written(tmp_path, text, name) for text, name in ((f"import loud\n{show}", "one"), (show, "other"))]
    ends = run(tmp_path, [[program, file] for file in (loud, loud, calm, loud)], ENV_ALONE)
    news = [
        subprocess.run([program, file], capture_output=True, text=True, env=ENV_ALONE, check=True)
        for file in (loud, calm)
    ]
    expected = [{"forked": True, "code": 0, "out": new.stdout, "err": new.stderr} for new in news]
    assert ends == [expected[0], expected[0], expected[1], expected[0]]


def test_what_a_task_says_that_it_imported_is_an_ordinary_module_of_a_package(tmp_path: Path) -> None:
    """A task can report any name to the preloader, which runs outside of pods: names from folders that tasks may write to, and programs,
    must be refused.
    """
    venv.create(tmp_path / "env", symlinks=True)
    program = str(tmp_path / "env/bin/python")
    (packages,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    (packages / "tool").mkdir()
    (tmp_path / "claim").mkdir()
    (packages / "own.pth").write_text(f"{tmp_path}/claim\n")  # as an editable install writes it
    (packages / "linked").symlink_to(tmp_path / "claim")
    said = f"open({str(tmp_path / 'imported')!r}, 'a').write(__name__ + ' ')"
    for place in ("tool/__init__.py", "tool/__main__.py", "good.py"):
        written(packages, said, place)
    for name in ("theirs.py", "__init__.py"):
        written(tmp_path / "claim", said, name)
    (packages / "__pycache__").mkdir(exist_ok=True)  # one that is made now would look like an installation
    names = [b"theirs", b"linked", b"tool.__main__", b"..x", b"\xff", b"a\0b", b"antigravity", b"good"]
    lies = [
        f"""
        import os, sys
        shared = sys.meta_path[0].tell.__self__._imported
        shared.seek(0)
        shared.write({len(name).to_bytes(4, "little") + name!r})
        os._exit(0)
        """
        for name in names
    ]
    tasks = [[program, written(tmp_path, lie, f"task{number}")] for number, lie in enumerate(lies)]
    assert [(end["forked"], end["code"], end["err"]) for end in run(tmp_path, tasks, ENV_ALONE)] == [
        (True, 0, "")
    ] * len(tasks)
    assert (tmp_path / "imported").read_text() == "good "


def test_what_is_installed_meanwhile_is_found(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    program = str(tmp_path / "env/bin/python")
    (packages,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    install = written(tmp_path, f"open('{packages}/installed.py', 'w').close()")
    assert [end["forked"] for end in run(tmp_path, [[program, install]] * 3, ENV_ALONE)] == [True, False, False]


# --- in pods -------------------------------------------------------------------------------------------------------------------

SHOW = "print('started_with' in open('/proc/self/cmdline').read())"


def python_task(stage: Stage, source: str = SHOW, **more: Any) -> list[str]:
    container = {
        "image": "python:3.11",
        "command": ["python"],
        "args": ["/argo/staging/script"],
        **more.pop("container", {}),
    }
    pod = stage.pod(container, template={"script": {"source": source}}, **more)
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    until(lambda: stage.runtime._workers._idle)  # then the next pod gets the same worker
    return stage.log(pod)


@pytest.fixture
def machine(tmp_path: Path) -> Any:
    made = Stage(tmp_path / "state")
    yield made
    made.close()


def test_the_end_of_a_task_says_how_its_interpreter_started(machine: Stage) -> None:
    def how(container: Json) -> str:
        script = {"script": {"source": "pass"}}
        end = machine.run(machine.pod({"image": "python:3.11", **container}, template=script))
        return end.containers[0].python

    python = {"command": ["python"], "args": ["/argo/staging/script"]}
    assert how(python) == "warm"
    assert how({**python, "resources": {"limits": {"memory": "100Mi"}}}) == "new: it has a limit of memory"
    off = {"env": [{"name": "HERA_UTILS_WARM_PYTHON", "value": "off"}]}
    assert how(python | off) == "new: HERA_UTILS_WARM_PYTHON is off"
    hash_seed = {"env": [{"name": "PYTHONHASHSEED", "value": "1"}]}
    assert how(python | hash_seed) == "new: the variable PYTHONHASHSEED counts for a start of Python"
    assert how({"command": ["true"]}) == ""


def test_a_script_task_is_a_fork(machine: Stage) -> None:
    assert python_task(machine) == ["True"]
    assert python_task(machine, container={"env": [{"name": "HERA_UTILS_WARM_PYTHON", "value": "off"}]}) == ["False"]
    assert python_task(machine, container={"resources": {"limits": {"memory": "100Mi"}}}) == ["False"]


def test_the_server_can_have_every_task_start_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERA_UTILS_WARM_PYTHON", "off")
    stage = Stage(tmp_path / "state")
    try:
        assert python_task(stage) == ["False"]
    finally:
        stage.close()


def test_a_task_with_a_secret_is_a_fork_too(machine: Stage) -> None:
    """The process that it is forked from has never seen a pod."""
    assert python_task(machine, secrets={"key": {"word": "hidden"}}) == ["True"]
    assert python_task(machine) == ["True"]


HAS = "import sys\nprint('yaml' in sys.meta_path[0])"


def test_what_one_worker_imported_all_have(machine: Stage) -> None:
    python_task(machine, "import yaml")
    until(lambda: python_task(machine, HAS) == ["True"])
    container = {"image": "python:3.11", "command": ["python"], "args": ["/argo/staging/script"]}
    script = {"script": {"source": f"{HAS}\nimport time\ntime.sleep(1)"}}
    pods = [machine.pod(container, template=script) for _ in range(3)]
    for pod in [machine.launch(pod) for pod in pods]:
        assert machine.finished(pod).phase == "Succeeded"
    assert [machine.log(pod) for pod in pods] == [["True"]] * 3


def test_what_a_task_is_importing_others_need_not_import(machine: Stage) -> None:
    """A package is preloaded while the first task that imported it is still running."""
    container = {"image": "python:3.11", "command": ["python"], "args": ["/argo/staging/script"]}
    goes_on = "import yaml, time\nwhile True: time.sleep(0.1)"
    machine.launch(machine.pod(container, template={"script": {"source": goes_on}}))
    until(lambda: python_task(machine, HAS) == ["True"])


def test_other_programs_of_a_worker_with_a_fork_server_have_no_descriptor_of_it(machine: Stage) -> None:
    for _ in range(4):
        assert python_task(machine) == ["True"]
        pod = machine.shell("ls /proc/self/fd")
        assert machine.run(pod).phase == "Succeeded"
        assert machine.log(pod) == ["0", "1", "2", "3"]


ZOMBIES = """
import os
print([n for n in os.listdir("/proc") if n.isdigit() and ") Z" in open(f"/proc/{n}/stat").read()])
"""


def test_nothing_is_left_of_how_a_fork_server_is_made(machine: Stage) -> None:
    container = {"command": ["python3"]}
    assert python_task(machine, SHOW, container=container) == ["True"]
    assert python_task(machine, ZOMBIES, container=container) == ["[]"]


def _fork_servers(state: Path) -> list[str]:
    """The process states of the fork servers: children of workers, which are children of the spawner."""
    parents, states = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            states[folder.name], parents[folder.name] = fields[0], fields[1]
    of_state = {pid for pid in parents if os.fsencode(state) in _command(pid)}
    return [states[pid] for pid, parent in parents.items() if {parent, parents.get(parent)} <= of_state]


def _command(pid: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_an_idle_worker_keeps_nothing_of_a_fork_server_that_it_ended(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state", cores=1)
    try:
        until(lambda: _fork_servers(stage.state) == ["S"])
        assert stage.run(stage.shell("true")).phase == "Succeeded"
        until(lambda: _fork_servers(stage.state) == [])
    finally:
        stage.close()


def test_variables_of_a_template_are_no_obstacle_before_a_package_is_kept(machine: Stage) -> None:
    """Modules that every interpreter loads at its start do not count as preloaded packages."""
    own = {"env": [{"name": "OWN", "value": "1"}]}
    assert python_task(machine, "import json, csv\nprint('warm')") == ["warm"]
    assert python_task(machine, container=own) == ["True"]


LEAVE = """
import os, subprocess
subprocess.Popen(["sleep", "1000"], start_new_session=True)
print(os.getppid(), sorted(set(map(int, filter(str.isdigit, os.listdir("/proc")))) - {1, os.getpid(), os.getppid()})[1:])
"""


def test_what_a_task_leaves_ends_and_the_fork_server_goes_on(machine: Stage) -> None:
    """A task sees only the worker, the fork server, itself, and the processes that it starts."""
    said = [python_task(machine, LEAVE)]

    def as_before() -> bool:
        said.append(python_task(machine, LEAVE))
        return said[-1] == said[-2]

    until(as_before)  # imports of earlier tasks may still cause a new fork server
    assert said[-1][0].endswith(" []")


def test_a_task_may_kill_the_fork_server(machine: Stage) -> None:
    kill = "import os, time\nparent = os.getppid()\nos.kill(parent, 9)\nwhile os.getppid() == parent: time.sleep(0.01)\nprint(os.getppid())"
    assert python_task(machine, kill) == ["1"]
    assert python_task(machine) == ["True"]
    every = "import os\nos.kill(-1, 9)\nprint('goes on')"
    assert python_task(machine, every) == ["goes on"]
    assert python_task(machine) == ["True"]


LOOK = """
import os
for name in ("root/", "cwd/", "fd/0", "mem", "environ"):
    try:
        os.open(f"/proc/{os.getppid()}/{name}", 0)
    except PermissionError:
        continue
    print(name)
print("started_with" in open("/proc/self/cmdline").read())
"""


def test_no_task_looks_into_the_fork_server(machine: Stage) -> None:
    """The fork server does not read the data of tasks, but it sees the machine as the worker does."""
    assert python_task(machine) == ["True"]
    assert python_task(machine, LOOK, secrets={"key": {"word": "hidden"}}) == ["True"]
