"""A pod that runs from an image's layers sees the image's files and none of this machine's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hand_made_image import OS_RELEASE, PYTHON, HandMadeImages, Json, put_libraries
from stage import Stage

_PACKAGES = """
import sys
import hera.workflows.runner, hera.workflows
print(*{name.partition(".")[0] for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", "") or "")})
"""
_LAB = """
from hera.workflows import script

@script(constructor="runner")
def double(n: int) -> int:
    print(__file__)
    return 2 * n
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, hand_made_image: Json) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("state"), images=HandMadeImages(hand_made_image))
    yield made
    made.close()


def test_the_files_are_the_images(stage: Stage) -> None:
    pod = stage.shell("cat /etc/os-release")
    assert stage.run(pod).phase == "Succeeded"
    assert "\n".join(stage.log(pod)) + "\n" == OS_RELEASE
    pod = stage.shell("echo $(ls -A / | sort); ls /usr/share 2>&1; ls -A /tmp /opt /opt/old; cat /run/of-the-image")
    stage.run(pod)
    folders, *rest = stage.log(pod)
    assert folders == "argo bin dev etc home lib lib64 media mnt opt proc root run sys tmp usr var"
    assert rest == [
        "ls: cannot access '/usr/share': No such file or directory",
        "/opt:",
        "old",
        "",
        "/opt/old:",
        "new",
        "",
        "/tmp:",
        "below",
    ]


def test_the_variables_are_the_images_the_templates_and_argos(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "xx_YY.UTF-8")
    pod = stage.pod({"command": ["env"], "env": [{"name": "MINE", "value": "$(OF_THE_IMAGE) sir"}]})
    assert stage.run(pod).phase == "Succeeded"
    found = dict(line.split("=", 1) for line in stage.log(pod) if not line.startswith("ARGO_"))
    assert found == {
        "PATH": "/usr/bin:/bin", "OF_THE_IMAGE": "yes", "MINE": "yes sir", "HOME": "/root", "HOSTNAME": pod.pod["metadata"]["name"],
    }  # fmt: skip


def test_without_variables_there_is_the_usual_path(tmp_path: Path, hand_made_image: Json) -> None:
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image, env={}))
    pod = stage.shell("echo $PATH")
    stage.run(pod)
    assert stage.log(pod) == ["/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    stage.close()


def test_the_kernels_file_systems_and_the_network_are_there(stage: Stage) -> None:
    pod = stage.shell(
        "test -d /proc/$$$$ && echo proc; test -d /sys/kernel && echo sys; test -c /dev/null && echo dev; echo x > /dev/shm/x && echo shm;"
        "cat /etc/hostname; sha256sum < /etc/hosts; sha256sum < /etc/resolv.conf"
    )
    assert stage.run(pod).phase == "Succeeded"
    *names, hosts, resolver = stage.log(pod)
    assert names == ["proc", "sys", "dev", "shm", pod.pod["metadata"]["name"]]
    import hashlib

    assert hosts.split()[0] == hashlib.sha256(Path("/etc/hosts").read_bytes()).hexdigest()
    assert resolver.split()[0] == hashlib.sha256(Path("/etc/resolv.conf").read_bytes()).hexdigest()


def test_entrypoint_cmd_and_folder_by_kubernetes_rule(tmp_path: Path, hand_made_image: Json) -> None:
    images = HandMadeImages(
        hand_made_image, entrypoint=["/usr/bin/echo", "from"], cmd=["image"], workdir="/made/by/runtime"
    )
    stage = Stage(tmp_path / "state", images=images)

    def lines(**main: object) -> list[str]:
        pod = stage.pod(main)
        stage.run(pod)
        return stage.log(pod)

    assert lines() == ["from image"]
    assert lines(args=["template"]) == ["from template"]
    assert lines(command=["echo", "own"]) == ["own"]
    assert lines(command=["pwd"]) == ["/made/by/runtime"]
    assert lines(command=["pwd"], workingDir="/opt") == ["/opt"]
    stage.close()


def test_programs_are_looked_up_in_the_image(stage: Stage) -> None:
    end = stage.run(stage.pod({"command": ["git", "--version"]}))
    (main,) = end.containers
    assert (main.exit_code, main.message) == (
        64, 'failed to find name in PATH: exec: "git": executable file not found in $PATH',
    )  # fmt: skip
    assert stage.run(stage.pod({"command": ["python3", "-c", "pass"]})).phase == "Succeeded"


def test_changes_stay_in_the_container(stage: Stage, hand_made_image: Json) -> None:
    look = "ls -A / /tmp /opt /run /argo /argo/staging; cat /etc/os-release"
    first = stage.shell(look)
    stage.run(first)
    for change in (
        "touch /new /tmp/x /run/y /argo/z; mkdir /opt/d",
        "echo x >> /etc/os-release",
        "rm -rf /opt/old; mkdir /opt/gone",
    ):
        assert stage.run(stage.shell(change)).phase == "Succeeded"
        again = stage.shell(look)
        stage.run(again)
        assert stage.log(again) == stage.log(first)
    assert sorted(os.listdir(f"{hand_made_image['layers'][1]}/opt")) == ["gone", "old"]


@pytest.mark.parametrize("count", [100, 450])
def test_an_image_of_many_layers(tmp_path: Path, hand_made_image: Json, count: int) -> None:
    layers = list(hand_made_image["layers"])
    for number in range(count):
        layer = tmp_path / "a-name-as-long-as-that-of-a-layer-with-its-digest" / f"{number:064x}"
        (layer / "many").mkdir(parents=True)
        (layer / "many" / f"{number}").write_text("")
        (layer / "last").write_text(f"{number}\n")
        layers.append(str(layer))
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image, layers=layers))
    pod = stage.shell("ls /many | wc -l; cat /last /etc/os-release")
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod)[:3] == [str(count), str(count - 1), "ID=hand-made"]
    stage.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_the_images_user_runs_the_command(tmp_path: Path, hand_made_image: Json) -> None:
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image, user="app"))
    pod = stage.shell(
        "id -u; id -g; id -G; echo $HOME; echo x > $HOME/mine && echo written; echo why > /dev/termination-log; exit 1"
    )
    end = stage.run(pod)
    assert stage.log(pod) == ["1000", "1000", "1000 2000", "/home/app", "written"]
    assert end.containers[0].message == "why\n"
    stage.close()


def test_hidden_programs_are_absent_from_the_image_too(tmp_path: Path, hand_made_image: Json) -> None:
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image, hide=["bash", "awk", "sh"]))
    pod = stage.pod(
        {
            "command": [
                "python3",
                "-c",
                "import os; print([p for p in ('bash', 'awk', 'sh', 'ls') if os.path.exists('/bin/' + p)])",
            ]
        }
    )
    stage.run(pod)
    assert stage.log(pod) == ["['ls']"]
    stage.close()


def test_a_volume_where_the_image_has_something(stage: Stage, tmp_path: Path) -> None:
    """Mount points: a folder of the image, a new folder below a link, a file over a dangling link, and /tmp itself."""
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "of-the-claim").write_text("claim\n")
    mounts = [{"name": "c", "mountPath": path} for path in ("/opt/old", "/bin/deep/er", "/tmp", "/lib/python3/x")]
    mounts.append({"name": "c", "mountPath": "/etc/resolv.conf", "subPath": "of-the-claim"})
    pod = stage.shell(
        "cat /opt/old/* /usr/bin/deep/er/* /tmp/* /usr/lib/python3/x/* /etc/resolv.conf; ls /bin/ls; touch /tmp/written",
        main={"volumeMounts": mounts}, claims={"c": str(tmp_path / "claim")},
        spec={"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]},
    )  # fmt: skip
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    assert stage.log(pod) == ["claim"] * 5 + ["/bin/ls"]
    assert (tmp_path / "claim" / "written").exists()


def test_nothing_of_the_submitting_machines_python_is_in_the_image(stage: Stage) -> None:
    source = "import sys; print(sys.prefix, any('site-packages' in path for path in sys.path))\nimport hera"
    pod = stage.pod(
        {"image": "python:3", "command": ["python"], "args": ["/argo/staging/script"]},
        annotations={"hera-utils/python": sys.executable, "hera-utils/script": __file__},
    )
    pod.template.update({"script": {"source": source, "command": ["python"]}})
    assert stage.run(pod).phase == "Failed"
    first, *rest = stage.log(pod)
    assert first == "/usr False"
    assert rest[-1] == "ModuleNotFoundError: No module named 'hera'"


def test_heras_runner_of_the_image_runs_a_function_of_the_image(tmp_path: Path, hand_made_image: Json) -> None:
    hera = pytest.importorskip("hera")
    site = Path(hera.__file__).parents[1]
    layer = tmp_path / "packages"
    folder = layer / "opt" / "packages"
    folder.mkdir(parents=True)
    asked = subprocess.run(
        [PYTHON, "-c", _PACKAGES], env={"PYTHONPATH": str(site)}, check=False, capture_output=True, text=True
    )
    if asked.returncode:
        pytest.skip(f"these packages are not for {PYTHON}")
    for name in asked.stdout.split():
        for package in (*site.glob(name), *site.glob(f"{name}.*")):
            (shutil.copytree if package.is_dir() else shutil.copy2)(package, folder / package.name)
    (folder / "lab.py").write_text(_LAB)
    put_libraries(layer)
    images = HandMadeImages(
        hand_made_image,
        layers=[*hand_made_image["layers"], str(layer)],
        env={"PATH": "/bin", "PYTHONPATH": "/opt/packages"},
    )
    stage = Stage(tmp_path / "state", images=images)
    argv = ["python", "-m", "hera.workflows.runner", "-e", "lab:double", "/argo/staging/script"]
    pod = stage.pod(
        {"image": "lab/hera:1", "command": argv[:1], "args": argv[1:]},
        annotations={"hera-utils/python": sys.executable, "hera-utils/script": __file__},
    )
    pod.template.update({"script": {"source": '[{"name": "n", "value": "21"}]', "command": ["python"]}})
    assert stage.run(pod, timeout=60).phase == "Succeeded", "\n".join(stage.log(pod))
    assert stage.log(pod) == ["/opt/packages/lab.py", "42"]

    (folder / "lab.py").unlink()
    pod = stage.pod({"image": "lab/hera:1", "command": argv[:1], "args": argv[1:]})
    assert stage.run(pod, timeout=60).phase == "Failed"
    (line,) = stage.log(pod)
    assert line.startswith(
        'hera-utils: the image lab/hera:1 lacks the module "lab" with the task\'s function "double":'
    )
    stage.close()


def test_an_image_without_hera_says_so(stage: Stage) -> None:
    argv = ["python", "-m", "hera.workflows.runner", "-e", "lab:double", "/argo/staging/script"]
    pod = stage.pod({"image": "lab/plain:1", "command": argv})
    assert stage.run(pod).phase == "Failed"
    (line,) = stage.log(pod)
    assert line.startswith(
        "hera-utils: the image lab/plain:1 lacks Hera, which runs the task's function: its /usr/bin/python"
    )
    assert "--images here" in line


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("etc", "{outside}"),
        ("etc", "../../../../../../../..{outside}"),
        ("proc", "/etc"),
        ("proc", "{outside}"),
        ("sys", "/proc"),
        ("dev", "etc"),
        ("argo", "{outside}"),
        ("run", "{outside}"),
        ("var/run/argo", "{outside}"),
        ("tmp", "/var/tmp"),
        ("etc/hosts", "hosts"),
        ("etc/hosts", "/etc/passwd"),
        ("etc/passwd", "/proc/1/root/etc/shadow"),
        ("argo", ""),
        ("dev", ""),
        ("v", "{outside}"),
    ],
)
def test_links_of_an_image_lead_nowhere_outside(tmp_path: Path, hand_made_image: Json, path: str, target: str) -> None:
    """target: the target of the link at `path`; "" for a file instead of a folder."""
    layer, outside = tmp_path / "layer", tmp_path / "outside"
    outside.mkdir()
    (layer / path).parent.mkdir(parents=True, exist_ok=True)
    if target:
        (layer / path).symlink_to(target.format(outside=outside))
    else:
        (layer / path).write_text("file")
    stage = Stage(
        tmp_path / "state", images=HandMadeImages(hand_made_image, layers=[*hand_made_image["layers"], str(layer)])
    )
    mounts = [{"name": "c", "mountPath": "/v"}, {"name": "c", "mountPath": "/etc/deep/er"}]
    pod = stage.shell(
        "cat /v/m /etc/deep/er/m; touch /etc/x /argo/y /run/z; "
        "test -d /proc/$$$$ && test -c /dev/null && test -d /sys/kernel && echo all; pwd",
        main={"volumeMounts": mounts, "workingDir": "/etc/work"},
        spec={"volumes": [{"name": "c", "configMap": {"name": "c"}}]}, config_maps={"c": {"m": "value\n"}},
    )  # fmt: skip
    end = stage.run(pod)
    assert end.phase == "Succeeded", (end, stage.log(pod))
    assert stage.log(pod)[:3] == ["value", "value", "all"]
    assert list(outside.iterdir()) == []
    stage.close()
