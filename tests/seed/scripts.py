"""Scripts of ours that make the calls of the first users' scripts, run as those are: `python script.py` in a folder of their own."""

import os
import subprocess
import sys

TOKEN = "planted-token-of-a-user-5f21"


def run_script(folder, text, *words, state="", name="script.py", module="", **variables):
    """Run `text` as a script and return its completed process. state: the local platform's folder, "" for an unused one."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    environment = {
        "HOME": str(folder / "home"),
        "PATH": os.defpath,
        "HERA_UTILS_STATE": state or str(folder / "state"),
        **variables,
    }
    command = ["-m", module] if module else [name]
    return subprocess.run(
        [sys.executable, *command, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def output_of(answer):
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def here(local_platform):
    """The variables and the folder of a test's own local platform."""
    return {"state": local_platform.context.state, "ARGO_NAMESPACE": local_platform.connection.namespace}
