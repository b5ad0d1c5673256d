"""The user of a container with an image, and what it may write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hand_made_image import GROUP, PASSWD, HandMadeImages, Json
from stage import Stage

from hera_utils.local_platform.pods.pod import program
from hera_utils.local_platform.pods.pod.container import Container
from hera_utils.local_platform.pods.pod.errors import PodFault
from hera_utils.local_platform.pods.pod.plan import ContainerPlan
from hera_utils.local_platform.pods.pod.users import User, WantedUser, resolve, wanted_user

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (WantedUser(""), User(0, 0, (), "/root")),
        (WantedUser("root"), User(0, 0, (), "/root")),
        (WantedUser("app"), User(1000, 1000, (2000,), "/home/app")),
        (WantedUser("1000"), User(1000, 1000, (2000,), "/home/app")),
        (WantedUser("app:nogroup"), User(1000, 65534, (2000,), "/home/app")),
        (WantedUser("1000:7"), User(1000, 7, (2000,), "/home/app")),
        (WantedUser("4711"), User(4711, 0, (), "/")),
        (WantedUser("app", user=4711), User(4711, 0, (), "/")),
        (WantedUser("app", user=4711, group=12), User(4711, 12, (), "/")),
        (WantedUser("app", group=12), User(1000, 12, (2000,), "/home/app")),
        (WantedUser("app:helpers", user=0), User(0, 0, (), "/root")),
        (WantedUser("app", groups=(5, 6)), User(1000, 1000, (2000, 5, 6), "/home/app")),
        (WantedUser("app", must_not_be_root=True, user=1000), User(1000, 1000, (2000,), "/home/app")),
    ],
)
def test_the_user_of_a_container(wish: WantedUser, expected: User) -> None:
    assert resolve(wish, PASSWD, GROUP) == expected


def test_an_image_without_users() -> None:
    assert resolve(WantedUser(""), "", "") == User(0, 0, (), "/")
    assert resolve(WantedUser("12:34"), "", "") == User(12, 34, (), "/")
    assert resolve(WantedUser(""), "root:x:nonsense\nshort\n::::::\n", "") == User(0, 0, (), "/")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (WantedUser("nobody-here"), "unable to find user nobody-here: no matching entries in passwd file"),
        (WantedUser("app:none"), "unable to find group none: no matching entries in group file"),
        (
            WantedUser("", must_not_be_root=True),
            "container has runAsNonRoot and image will run as root (container: main)",
        ),
        (
            WantedUser("app", user=0, must_not_be_root=True),
            "container's runAsUser breaks non-root policy (container: main)",
        ),
        (WantedUser("app", must_not_be_root=True), "container has runAsNonRoot and image has non-numeric user (app)"),
    ],
)
def test_users_that_cannot_be(wish: WantedUser, message: str) -> None:
    with pytest.raises(PodFault) as refused:
        resolve(wish, PASSWD, GROUP)
    assert message in str(refused.value)
    assert refused.value.reason in ("CreateContainerError", "CreateContainerConfigError")


def test_the_containers_context_stands_before_the_pods() -> None:
    pod = {
        "spec": {
            "securityContext": {
                "runAsUser": 1,
                "runAsGroup": 2,
                "fsGroup": 3,
                "supplementalGroups": [4],
                "runAsNonRoot": True,
            }
        }
    }
    container = {"name": "c", "securityContext": {"runAsUser": 9, "runAsNonRoot": False}}
    assert wanted_user(pod, container, "app") == WantedUser("app", 9, 2, (4, 3), False, "c")
    assert wanted_user({"spec": {}}, {"name": "c"}, "") == WantedUser(container="c")


def run(
    stage: Stage, script: str, context: Json | None = None, *, of_pod: Json | None = None, **more: Any
) -> tuple[str, list[str]]:
    spec = {**more.pop("spec", {}), **({"securityContext": of_pod} if of_pod else {})}
    main = {**more.pop("main", {}), **({"securityContext": context} if context else {})}
    pod = stage.shell(script, main=main, spec=spec, **more)
    end = stage.run(pod)
    return end.message, stage.log(pod)


@pytest.fixture
def image_stage(tmp_path: Path, hand_made_image: Json) -> Any:
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image))
    yield stage
    stage.close()


@only_root
def test_the_numbers_of_the_security_context(image_stage: Stage) -> None:
    script = "id -u; id -g; id -G; echo out > /dev/stdout; cat /argo/staging/x 2>/dev/null; touch /dev/shm/a /tmp/b && echo wrote"
    assert run(image_stage, script, {"runAsUser": 1234})[1] == ["1234", "0", "0", "out", "wrote"]
    assert run(image_stage, script, of_pod={"runAsUser": 5, "runAsGroup": 6, "supplementalGroups": [7]})[1] == [
        "5",
        "6",
        "6 7",
        "out",
        "wrote",
    ]
    message, lines = run(image_stage, script, {"runAsNonRoot": True})
    assert (message.partition(" (")[0], lines) == ("container has runAsNonRoot and image will run as root", [])


@only_root
def test_a_user_may_write_what_kubernetes_lets_him_write(image_stage: Stage, tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    (claim / "deep").mkdir(parents=True)
    (claim / "deep" / "old").write_text("old\n")
    (claim / "link").symlink_to("/etc/passwd")
    volumes = [
        {"name": "c", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "e", "emptyDir": {}},
        {"name": "s", "secret": {"secretName": "door", "defaultMode": 0o400}},
    ]  # fmt: skip
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in "ces"]
    more: dict[str, Any] = {"claims": {"c": str(claim)}, "secrets": {"door": {"pw": "p"}}}
    script = (
        "cat /s/pw; echo; echo x > /e/x && echo e; echo y >> /c/deep/old && echo c; touch /c/new && stat -c %g /c/new"
    )

    def lines(**context: Any) -> list[str]:
        pod_context = {"runAsUser": 1000, **context}
        found = run(
            image_stage, script, of_pod=pod_context, main={"volumeMounts": mounts}, spec={"volumes": volumes}, **more
        )[1]
        return [line for line in found if "denied" not in line and line]

    before = os.stat("/etc/passwd")
    assert lines() == ["e"]
    assert lines(fsGroup=4000) == ["p", "e", "c", "4000"]
    assert os.stat("/etc/passwd") == before
    assert lines(fsGroup=4000) == ["p", "e", "c", "4000"]
    assert (claim / "deep" / "old").stat().st_uid == 0


def test_hooks_of_an_image_run_as_its_user(tmp_path: Path, hand_made_image: Json) -> None:
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image, user="app"))
    probe = {
        "exec": {"command": ["sh", "-c", 'test "$(id -u)" = 1000 && test "$HOME" = /home/app']},
        "periodSeconds": 1,
    }
    pod = stage.shell("exec sleep 60", main={"readinessProbe": probe}, template={"daemon": True})
    stage.launch(pod)
    stage.started(pod.node_id)
    stage.close()


def test_who_the_command_is_for_itself_and_whose_its_files_are(tmp_path: Path, hand_made_image: Json) -> None:
    """An ordinary user's server cannot become another user: a command sees itself as user 1000, and its results are owned by that user."""
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image, user="app"))
    claim = tmp_path / "claim"
    claim.mkdir(mode=0o777)
    claim.chmod(0o777)
    pod = stage.shell(
        "id -u; id -g; echo $HOME; echo x > $HOME/new && echo home; echo y > /c/new && echo claim; echo out > /dev/stdout; "
        "kill -9 $$$$",
        main={"volumeMounts": [{"name": "c", "mountPath": "/c"}]}, claims={"c": str(claim)},
        spec={"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]},
    )  # fmt: skip
    end = stage.run(pod)
    assert end.warnings == ()
    assert stage.log(pod)[:6] == ["1000", "1000", "/home/app", "home", "claim", "out"]
    assert (claim / "new").stat().st_uid == (1000 if os.getuid() == 0 else os.getuid())
    assert end.containers[0].exit_code == 137
    again = stage.shell("ls $HOME; id -u", main={"securityContext": {"runAsUser": 31000, "runAsGroup": 41000}})
    assert stage.run(again).phase == "Succeeded"
    assert stage.log(again)[-1] == "31000"
    stage.close()


def test_where_the_kernel_refuses_that_too_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    started_as = []

    def start(path: str, argv: Any, env: Any, descriptors: Any, rights: program.Rights) -> int:
        started_as.append(rights.user)
        if rights.user is not None:
            raise program.CannotAppear(28, "No space left on device")
        return 1

    monkeypatch.setattr(program, "start", start)
    plan = ContainerPlan("main", "main", ("true",), {}, "/", (), {}, (), (), image="lab/tool:1")
    container = Container(plan)
    container.user = User(1000, 1000, (), "/")
    assert container._start("/bin/true", ["true"], {}) == 1
    assert started_as == [User(1000, 1000, (), "/"), None]
    assert container.warning.startswith('the image "lab/tool:1" runs as root of its container instead of user 1000')


@pytest.mark.parametrize("instead", ["folder", "pipe", "link to nothing", "not text"])
def test_an_image_whose_list_of_users_is_none(tmp_path: Path, hand_made_image: Json, instead: str) -> None:
    passwd = tmp_path / "layer" / "etc" / "passwd"
    passwd.parent.mkdir(parents=True)
    if instead == "folder":
        passwd.mkdir()
    elif instead == "pipe":
        os.mkfifo(passwd)
    elif instead == "not text":
        passwd.write_bytes(b"\xff\0:::::\n" * 10)
    else:
        passwd.symlink_to("/nothing")
    layers = [*hand_made_image["layers"], str(tmp_path / "layer")]
    stage = Stage(tmp_path / "state", images=HandMadeImages(hand_made_image, layers=layers, user="7"))
    pod = stage.shell("id -u")
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == ["7"]
    stage.close()
