"""The clock of this machine is set forward and back, by seconds and by days, while runs go on.

    python tests/campaigns/clocks.py [JUMPS [SEED]]

Setting the machine's clock would be felt by everything on it: a server and its workers are given another `time.time`.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from small_world import Findings, World

from hera_utils.local_platform import daemon

AT_ONCE = 3
DAY = 86400.0
JUMPING = """
import mmap, struct, time
_file = open({offset!r}, "rb")
_map, _real = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ), time.time
time.time = lambda: _real() + struct.unpack("d", _map[:8])[0]
"""
SERVER = """
import sys
from pathlib import Path
jumping = sys.argv[2]
exec(jumping)
from hera_utils.local_platform import daemon
from hera_utils.local_platform.pods import workers
workers._START = f"exec({jumping!r}); " + workers._START
daemon.serve(Path(sys.argv[1]), ready=lambda _: print("ready", flush=True))
"""


class Clock:
    """file: holds how far it is from the right time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.write_bytes(struct.pack("d", 0.0))

    def set(self, offset: float) -> None:
        with self.file.open("r+b") as file:
            file.write(struct.pack("d", offset))

    @contextlib.contextmanager
    def server(self, state: Path) -> Iterator[None]:
        """A server that goes by this clock."""
        command = [sys.executable, "-c", SERVER, str(state), JUMPING.format(offset=str(self.file))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            daemon.stop(state)
            process.wait(60)


def campaign(world: World, jumps: int, *, say: bool = False) -> Findings:
    clock = Clock(world.folder / "offset")
    with clock.server(world.state):
        for number in range(1, jumps + 1):
            world.reap_clients()
            while len(world.unfinished()) < AT_ONCE:
                world.submit()
            time.sleep(world.dice.uniform(0.1, 1.0))
            size = world.dice.choice([1.0, 60.0, 3600.0, DAY])
            offset = world.dice.uniform(-size, size)
            clock.set(offset)
            world.findings.figures["jumps forward" if offset > 0 else "jumps back"] += 1
            if say and number % 10 == 0:
                print(f"{number} jumps, {len(world.kinds)} runs", flush=True)
        clock.set(2 * DAY)  # all timers are due then
        world.settle()
    return world.judge()


def main() -> None:
    jumps = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    folder = Path(tempfile.mkdtemp(prefix="clocks-"))
    print(f"{jumps} jumps, seed {seed}, in {folder}", flush=True)
    with World(folder / "world", seed) as world:
        findings = campaign(world, jumps, say=True)
    print(findings.text(), flush=True)
    sys.exit(bool(findings.lost or findings.twice or findings.wrong))


if __name__ == "__main__":
    main()
