"""How the server gives a pod to a worker: one packet with the pod's uid and the descriptor of a file in memory with the launch.

So the launch may be of any size, and its secrets are never on a disk.
"""

from __future__ import annotations

import json
import os
import select
import socket
from typing import Any, NamedTuple

Json = dict[str, Any]


class HandedOver(NamedTuple):
    uid: str
    launch: Json


def send(link: socket.socket, uid: str, launch: bytes) -> None:
    """Send a pod. launch: JSON. Raises OSError."""
    fd = os.memfd_create("launch", os.MFD_CLOEXEC)
    try:
        while launch:
            launch = launch[os.write(fd, launch) :]
        socket.send_fds(link, [uid.encode()], [fd])
    finally:
        os.close(fd)


def has_more(link: socket.socket) -> bool:
    """Whether a packet has arrived and was not received yet."""
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(0))


def receive(link: socket.socket) -> HandedOver | None:
    """Wait for the next pod; None when the server has closed the connection. Raises OSError."""
    packet, fds, _, _ = socket.recv_fds(link, 4096, 1)
    if not packet:
        return None
    try:
        launch: Json = json.loads(os.pread(fds[0], os.fstat(fds[0]).st_size, 0))
    finally:
        os.close(fds[0])
    return HandedOver(packet.decode(), launch)
