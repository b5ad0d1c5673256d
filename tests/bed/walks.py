"""A researcher's walk (submit, watch, read the logs, fetch an artifact) through a proxy that spoils it, and what must hold then."""

from __future__ import annotations

import hashlib
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hera_utils.argo.phases import phase_of
from hera_utils.errors import HeraUtilsError
from hera_utils.platforms.argo_client import ArgoClient

from .faulty_proxy import PAGE, FaultyProxy, answer

Json = dict[str, Any]

LINES = 150
LIMIT = 100.0  # seconds for one step: above what the client itself allows a silent server (60) and its pauses
TRIES = 8  # how often a researcher fetches an artifact that broke off
SCRIPT = f"""
mkdir -p /tmp/o; head -c 70000 /dev/urandom > /tmp/o/big
for block in 1 2 3; do for i in $(seq 1 {LINES // 3}); do echo "$WHO $block $i"; done; sleep PAUSE; done
sha256sum < /tmp/o/big
"""
FAULTS: list[tuple[str, float]] = [
    ("pass", 2),
    ("cut", 4),
    ("reset", 2),
    ("cut-request", 2),
    ("stall", 1),
    ("delay", 2),
    ("half-close", 1),
    ("429", 1),
    ("502", 1),
    ("503", 1),
    ("lost", 2),
]
BUSY = b'{"code":8,"message":"too many requests"}'


class Weather:
    """Draws a fault for each connection. drawn: how often each kind was."""

    def __init__(self, seed: int, most: int) -> None:
        self.random, self.most = random.Random(seed), most
        self.drawn: Counter[str] = Counter()

    @property
    def faults(self) -> int:
        return self.drawn.total() - self.drawn["pass"]

    def __call__(self) -> tuple:
        kinds, weights = zip(*FAULTS, strict=True)
        kind = self.random.choices(kinds, weights)[0] if self.faults < self.most else "pass"
        self.drawn[kind] += 1
        size = int(10 ** self.random.uniform(0, 5.2))
        plans: dict[str, Callable[[], tuple]] = {
            "pass": lambda: ("pass",),
            "cut": lambda: ("cut", size - 1),
            "reset": lambda: ("reset", size - 1),
            "cut-request": lambda: ("cut-request", min(size, 3000)),
            "stall": lambda: ("stall", size, self.random.uniform(0.5, 3)),
            "delay": lambda: ("delay", self.random.uniform(0.05, 1)),
            "half-close": lambda: ("half-close",),
            "429": lambda: (
                "instead",
                answer("429 Too Many Requests", *self.random.choice([(PAGE,), (BUSY, "application/json")])),
            ),
            "502": lambda: ("instead", answer("502 Bad Gateway")),
            "503": lambda: ("instead", answer("503 Service Unavailable")),
            "lost": lambda: (
                "after",
                self.random.choice([b"", answer("504 Gateway Timeout"), answer("502 Bad Gateway")]),
            ),
        }
        return plans[kind]()


@dataclass
class Result:
    """walks: how many were walked. wrong: what must not be. told: errors that the client gave up with, by step."""

    walks: int = 0
    wrong: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)


@dataclass
class Walk:
    """client: through the proxy. straight: around it, for what really is."""

    number: int
    client: ArgoClient
    straight: ArgoClient
    random: random.Random
    result: Result

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        """What it gives, or None when the client gave up; anything but an error of ours is wrong, and so is a hang."""
        begun = time.monotonic()
        try:
            return act()
        except HeraUtilsError as error:
            self.result.told[f"{name}: {str(error).split(' at http')[0][:120]}"] += 1
            return None
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            self.wrong(f"{name}: {type(error).__name__}: {error}")
            return None
        finally:
            took = time.monotonic() - begun
            self.result.slowest[name] = max(took, self.result.slowest.get(name, 0.0))
            if took > LIMIT:
                self.wrong(f"{name}: hung {took:.0f} s")

    def wrong(self, what: str) -> None:
        self.result.wrong.append(f"walk {self.number}: {what}")

    def walk(self) -> None:
        self.result.walks += 1
        mark = f"walk-{self.number}"
        made = self.step("submit", lambda: self._submit(mark))
        there = self.straight.list(selector=f"walk={mark}", fields="metadata.name")
        names = [one["metadata"]["name"] for one in there]
        if len(names) > 1 or (made is not None and names != [made["metadata"]["name"]]):
            self.wrong(f"submitted {len(names)} times: {names}")
        if not names:
            return
        name = names[0]
        steps = [lambda: self._watch(name), lambda: self._logs(name, mark)]
        self.random.shuffle(steps)
        for one in steps:
            one()
        self._artifact(name)
        self.straight.delete(name)

    def _submit(self, mark: str) -> Json:
        """From a document, or from a template that is stored."""
        if self.random.random() < 0.7:
            return self.client.create(document(mark, self.random))
        stored = document(mark, self.random)
        self.straight.apply({"kind": "WorkflowTemplate", "metadata": {"name": mark}, "spec": stored["spec"]})
        try:
            return self.client.submit("workflowtemplate", mark, options={"labels": f"walk={mark}"})
        finally:
            self.straight.clear_template(mark)

    def _watch(self, name: str) -> None:
        last = self.step(
            "watch",
            lambda: [one for _, one in self.client.watch(name, rest=self.random.choice((None, lambda _: 0.1)))][-1],
        )
        if last is not None and phase_of(last) != "Succeeded":
            self.wrong(f"watch ended with {phase_of(last) or 'nothing'}")

    def _logs(self, name: str, mark: str) -> None:
        lines: list[str] = []
        done = self.step("logs", lambda: lines.extend(line for _, line in self.client.logs(name, follow=True)) or True)
        whole = [f"{mark} {block} {i}" for block in (1, 2, 3) for i in range(1, LINES // 3 + 1)]
        said = [line for line in lines if line.startswith(mark)]
        if done and said != whole:
            self.wrong(f"logs have {len(said)} of {len(whole)} lines, {len(set(said))} different ones")
        elif said != whole[: len(said)]:
            self.wrong("logs broke off, and what came is not their beginning")

    def _artifact(self, name: str) -> None:
        status = self.straight.wait(name, timeout=LIMIT)["status"]
        lines = [line for _, line in self.straight.logs(name)]
        if status["phase"] != "Succeeded" or not lines or not lines[-1].endswith("  -"):
            self.wrong(f"{status['phase']} ({status.get('message', '')}), the log as it is ends with {lines[-1:]}")
            return
        digest = lines[-1].split()[0]
        by_name = self.random.random() < 0.5
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(TRIES):
                data = self.step("download" if by_name else "artifact", lambda: self._bytes(name, by_name, folder))
                if data is not None:
                    if hashlib.sha256(data).hexdigest() != digest:
                        self.wrong(f"an artifact of {len(data)} bytes is not what was written")
                    return
        self.wrong(f"no artifact after {TRIES} tries")

    def _bytes(self, name: str, by_name: bool, folder: str) -> bytes:
        if not by_name:
            return b"".join(self.client.artifact(name, name, "big"))
        (saved,) = self.client.download(name, folder, artifact="big")
        return (Path(folder) / saved.path).read_bytes()


def document(mark: str, chance: random.Random) -> Json:
    """A run of one pod that writes lines, for a while or at once, and an artifact."""
    script = SCRIPT.replace("PAUSE", chance.choice(["0", "0.1", "0.4"])).replace("$WHO", mark)
    container = {"image": "busybox", "command": ["sh", "-c", script]}
    output = {"artifacts": [{"name": "big", "path": "/tmp/o/big", "archive": {"none": {}}}]}
    template = {"name": "m", "container": container, "outputs": output}
    metadata = {"generateName": "walk-", "labels": {"walk": mark}}
    return {"metadata": metadata, "spec": {"entrypoint": "m", "templates": [template]}}


def campaign(
    proxy: FaultyProxy, straight: ArgoClient, through: Any, *, faults: int, seed: int, hands: int = 4
) -> Result:
    """Walk until so many faults were drawn. through: the connection whose server is the proxy."""
    weather, result, turn = Weather(seed, faults), Result(), threading.Lock()
    proxy.draw = weather
    numbers = iter(range(10**6))

    def hand() -> None:
        with ArgoClient(straight.connection) as around:
            while weather.faults < faults and not result.wrong:
                with turn:
                    number = next(numbers)
                with ArgoClient(replace(through, argo_server=proxy.url)) as client:
                    Walk(number, client, around, random.Random(seed * 1_000_003 + number), result).walk()

    with ThreadPoolExecutor(hands) as pool:
        for one in [pool.submit(hand) for _ in range(hands)]:
            one.result()
    print(*[f"WRONG {one}" for one in result.wrong], sep="\n")
    print(
        f"{result.walks} walks, faults: {dict(weather.drawn)}, given up: {dict(result.told)}, slowest: {result.slowest}"
    )
    return result
