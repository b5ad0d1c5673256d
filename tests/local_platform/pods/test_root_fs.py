"""Root file systems are reused: no change of one task is visible to the next."""

from __future__ import annotations

import os

import pytest
from stage import Stage


@pytest.mark.parametrize(
    "change",
    [
        "echo x > /out.txt; mkdir -p /deep/er; echo x > /deep/er/y; ln -s /etc/passwd /link",
        "echo x > /mnt/new; mkdir -p /mnt/more/and; touch /mnt/more/and/z",
        "echo x >> /etc/hostname; true",
        "rm -f /etc/hostname; true",
        "chmod 700 /mnt",
        "rm -rf /media; mkdir -m 711 /media",
        "mkfifo /pipe; mkdir -m 000 /closed",
        "mount -t tmpfs none /mnt 2>/dev/null && touch /mnt/q; true",
        "echo x > /tmp/a; mkdir -p /run/b /argo/c /dev/shm/d; touch /argo/staging/left /var/tmp/e",
        "echo x > $HOME/.left-by-a-task",
        "touch /dev/left; ln -sf /tmp/x /dev/stdout; rm -f /dev/fd; true",
        "chmod 700 /; chmod 755 /dev/shm",
        "chmod 700 /dev/pts",
        "chmod 755 /dev/mqueue",
        "chown 77 /tmp /argo /run; chmod 700 /proc; true",
        "chmod 700 /etc/hostname /etc/hosts /dev; true",
    ],
)
def test_the_next_task_finds_nothing_of_it(own_stage: Stage, change: str) -> None:
    own_stage.cores = 1
    own_stage.restart()
    look = (
        "ls -A / /mnt /tmp /var/tmp /run /argo /argo/staging /dev /dev/shm $HOME; sed 's/-[0-9]*$//' /etc/hostname; "
        "stat -c '%a %u %N' / /mnt /tmp /run /argo /proc /etc/hosts /etc/hostname /dev /dev/*; "
        "cut -d' ' -f5 /proc/self/mountinfo | grep -v ^/srv/ | sort"  # another test mounts folders below /srv
    )
    first = own_stage.shell(look)
    own_stage.run(first)
    for _ in range(2):
        assert own_stage.run(own_stage.shell(change)).phase == "Succeeded"
        again = own_stage.shell(look)
        own_stage.run(again)
        assert own_stage.log(again) == own_stage.log(first)
    assert not any(os.path.lexists(p) for p in ("/out.txt", "/deep", "/link", "/pipe", "/closed", "/mnt/new"))
