"""One address per pod, so that two pods can listen on the same port, as on a cluster.

Every pod has an address of its own among 127.64.0.0 – 127.127.255.255, and otherwise shares the machine's network. A thread of the worker
gets the pod's bind and connect calls (see seccomp.py) and redirects those that could conflict with another pod to the pod's own address:

    bind 0.0.0.0, [::], 127.0.0.1 with a port      the pod's address, that port
    bind [::1], or [::] for IPv6 only              [::1], a free port, which only this pod knows
    connect 127.0.0.1, [::1] with such a port      that address and port: containers of one pod meet at localhost
    anything else                                  not redirected: other pods' addresses, this machine's servers, the network

Port 0 (any free one) is not redirected: the kernel gives every pod another port. Only TCP is redirected, UDP is not.
If the user may not listen on ports below 1024, pods' ports are at 61000 + port, and connections to pods' addresses are redirected there.
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import os
import select
import signal
import socket
import struct

from . import seccomp, syscalls

LOOPBACK = "127.0.0.1"
_FIRST, _BITS = 0x7F400000, 22  # 127.64.0.0/10
_OF_WORKER = 10  # bits of the addresses of one worker, which has fewer pods than that
_SHIFT = 61000  # above the ports that the kernel assigns
_ANY, _ANY6, _LOOPBACK6 = bytes(4), bytes(16), bytes(15) + b"\1"
_MAPPED = bytes(10) + b"\xff\xff"
_MOST_TRIES = 1000


class Network:
    """The addresses of the pods of one worker, one after the other. A thread of its own answers the calls; the worker calls all methods.

    address: of the current pod; LOOPBACK when it has none of its own.
    """

    def __init__(self, proc: str) -> None:
        self._proc = proc
        self._fd = -1
        self._news, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._others: list[int] = []
        """Descriptors that the thread does not poll yet."""
        self._lock = _thread.allocate_lock()
        self._claim: socket.socket | None = None
        """Reserves the addresses from `_next` on while this process lives. None: pods share the machine's addresses."""
        self._next = 0
        self._is_of_pod = False
        self._shifted: bool | None = None
        self._reset(LOOPBACK)

    def open(self) -> None:
        """Let another thread answer the calls of this thread and of its children from now on. Raises OSError where that is not possible."""
        if (claimed := _claim_addresses()) is not None:
            self._claim, self._next = claimed
        ready = _thread.allocate_lock()
        ready.acquire()
        # The thread starts before the filter is installed, because it must not be filtered itself.
        _thread.start_new_thread(self._serve, (ready,))
        try:
            # Threads share root and working folder, and then the kernel refuses setns.
            syscalls.unshare(syscalls.CLONE_FS)
            self._fd = seccomp.install([seccomp.BIND, seccomp.CONNECT])
        finally:
            ready.release()

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def answer_also(self, fd: int) -> None:
        """Answer also the calls that arrive at this descriptor, those of another process and its children. This object then owns it."""
        self._others.append(fd)
        os.write(self._wake, b"x")

    def begin(self) -> None:
        """Start a pod with an address that no earlier pod had."""
        if self._fd >= 0 and self._claim is not None:
            self._reset(socket.inet_ntoa(struct.pack("!I", self._next)))
            self._next, self._is_of_pod = self._next + 1, True

    def end(self) -> None:
        self._is_of_pod = False
        self._reset(LOOPBACK)

    def _reset(self, address: str) -> None:
        with self._lock:
            self.address = address
            self._own = socket.inet_aton(address)
            self._ports: dict[int, int] = {}  # port that the pod asked for → real port at the pod's address
            self._ports6: dict[int, int] = {}  # port that the pod asked for → real port at [::1]

    # --- the thread that answers --------------------------------------------------------------------------------------

    def _serve(self, ready: _thread.LockType) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        with ready:
            fd = self._fd
        if fd < 0:
            return
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(self._news, select.POLLIN)
        while True:
            for fd, events in poll.poll():
                if fd == self._news:
                    os.read(fd, 64)
                    while self._others:
                        poll.register(self._others.pop(), select.POLLIN)
                elif not events & select.POLLIN or not self._answer(fd):
                    poll.unregister(fd)
                    os.close(fd)

    def _answer(self, fd: int) -> bool:
        """Answer one call. Gives False when there will be no more."""
        try:
            call = seccomp.receive(fd)
        except OSError:
            # The descriptor is closed then: without a listener the kernel refuses calls, with an unserved one they would wait for ever.
            return False
        if call is None:
            return True
        try:
            result = self._result(call)
        except Exception:  # noqa: BLE001 - after any error here the kernel carries the call out, or refuses it
            result = None
        if result is None:
            seccomp.go_on(fd, call)
        else:
            seccomp.answer(fd, call, result)
        return True

    def _result(self, call: seccomp.SystemCall) -> int | None:
        """The error number of a call (0: it is done), or None: the kernel carries the call out unchanged."""
        if not self._is_of_pod:
            return None
        raw = seccomp.memory(call.thread, call.arguments[1], min(call.arguments[2], 28))
        (family,) = struct.unpack_from("=H", raw)
        if family == socket.AF_INET:
            (port,), host = struct.unpack_from("!H", raw, 2), raw[4:8]
        elif family == socket.AF_INET6 and len(raw) >= 24:
            (port,), host = struct.unpack_from("!H", raw, 2), raw[8:24]
        else:
            return None
        if port == 0:
            return None
        with self._lock:
            if call.number == seccomp.BIND:
                return self._bind(call, port, host) if _names_here(host) else None
            target = self._target(port, host)
        return self._connect(call, *target) if target is not None else None

    def _socket(self, call: seccomp.SystemCall) -> socket.socket:
        return socket.socket(fileno=seccomp.descriptor(call.thread, call.arguments[0] & 0xFFFFFFFF, self._proc))

    def _bind(self, call: seccomp.SystemCall, port: int, host: bytes) -> int | None:
        with contextlib.closing(self._socket(call)) as end:
            if end.type != socket.SOCK_STREAM:
                return None
            if len(host) == 4:
                return self._bind_at(end, self.address, port)
            if host == _LOOPBACK6 or (host == _ANY6 and end.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)):
                error = _attempt(end, "::1", 0)
                if error == 0:
                    self._ports6[port] = end.getsockname()[1]
                return error
            return self._bind_at(end, f"::ffff:{self.address}", port)

    def _bind_at(self, end: socket.socket, address: str, port: int) -> int | None:
        error = _attempt(end, address, port)
        if error == errno.EADDRNOTAVAIL:  # the task is in a network namespace of its own
            return None
        if error == errno.EACCES and port < 1024:
            self._shifted = True
            error = _attempt(end, address, _SHIFT + port)
        if error == 0:
            self._ports[port] = end.getsockname()[1]
        return error

    def _target(self, port: int, host: bytes) -> tuple[bytes, int] | None:
        """Where to redirect a connection to; None: not redirected."""
        if host in (_LOOPBACK6, _ANY6) and port in self._ports6:
            return _LOOPBACK6, self._ports6[port]
        if _names_here(host):
            return (self._own, self._ports[port]) if port in self._ports else None
        bare = host[12:] if host.startswith(_MAPPED) else host
        if port < 1024 and len(bare) == 4 and _is_pods(bare) and self._is_shifted():
            return bare, _SHIFT + port
        return None

    def _connect(self, call: seccomp.SystemCall, host: bytes, port: int) -> int | None:
        with contextlib.closing(self._socket(call)) as end:
            if end.type != socket.SOCK_STREAM:
                return None
            if len(host) == 16:
                address = "::1"
            else:
                address = ("::ffff:" if end.family == socket.AF_INET6 else "") + socket.inet_ntoa(host)
            blocks = os.get_blocking(end.fileno())
            try:
                os.set_blocking(end.fileno(), False)
                error = end.connect_ex((address, port))
            finally:
                if blocks:
                    os.set_blocking(end.fileno(), True)
            # In progress: the kernel then continues it, and waits as long as the caller asked for.
            return None if blocks and error == errno.EINPROGRESS else error

    def _is_shifted(self) -> bool:
        if self._shifted is None:
            with socket.socket() as end:
                self._shifted = _attempt(end, self.address, 1) == errno.EACCES
        return self._shifted


def _claim_addresses() -> tuple[socket.socket, int] | None:
    """(a reservation of addresses that no other worker of this machine has, the first of them as a number); None when all seem taken."""
    for _ in range(_MOST_TRIES):
        number = int.from_bytes(os.urandom(4), "big") & ((1 << _BITS) - 1)
        first = _FIRST | (number >> _OF_WORKER << _OF_WORKER)
        claim = socket.socket(socket.AF_UNIX)
        try:
            # Abstract names belong to the network namespace, as addresses do, and disappear with the process.
            claim.bind(f"\0hera-utils/pods/{socket.inet_ntoa(struct.pack('!I', first))}")
        except OSError:
            claim.close()
        else:
            return claim, first
    return None


def works() -> bool:
    """Whether this kernel supports this. This process tries it, and its filter stays for the rest of its life."""
    network = Network("/proc")
    try:
        network.open()
        network.begin()
        with socket.socket() as end, socket.socket() as other:
            end.bind((LOOPBACK, _SHIFT))
            end.listen()
            other.connect((LOOPBACK, _SHIFT))
            return network.address != LOOPBACK and other.getpeername() == end.getsockname() == (network.address, _SHIFT)
    except OSError:
        return False


def _names_here(host: bytes) -> bool:
    """Whether an address means this machine, and in a pod the pod itself: 0.0.0.0, 127.0.0.1 and others up to 127.63, :: and ::1."""
    if len(host) == 16:
        return host in (_ANY6, _LOOPBACK6) or (host.startswith(_MAPPED) and _names_here(host[12:]))
    return host == _ANY or (host[0] == 127 and host[1] < 64)


def _is_pods(host: bytes) -> bool:
    return host[0] == 127 and 64 <= host[1] < 128


def _attempt(end: socket.socket, address: str, port: int) -> int:
    try:
        end.bind((address, port))
    except OSError as error:
        if error.errno == errno.EINVAL and end.getsockname()[:2] == (address, port):
            return 0  # the call was interrupted after this thread had bound the socket, and is repeated
        return error.errno or errno.EINVAL
    return 0
