"""How much freed memory the server's process keeps."""

from __future__ import annotations

import subprocess
import sys

from hera_utils.local_platform import this_machine

_PROGRAM = """
import sys
from hera_utils.local_platform import this_machine

def size():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) // 1024

if sys.argv[1] == "shared":
    this_machine.share_memory()
before, kept = size(), []
for _ in range(10):  # what is taken after the first block was given back
    large = [b"x" * (8 << 20) for _ in range(6)]
    kept.append([object() for _ in range(20_000)])
    kept.append([b"y" * 100_000])
    del large
print(size() - before)
"""


def held(how: str) -> int:
    """Megabytes that a process holds after it has allocated ten times 48 MB, freed them, and kept 6 MB."""
    run = subprocess.run([sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True)
    return int(run.stdout)


def test_large_blocks_go_back_to_the_system_with_their_last_use() -> None:
    assert held("shared") < 30
    this_machine.give_back_memory()
