"""What holds for every test: in CI nothing that its machine should have may be skipped; a busy machine is no failure."""

import os
import signal
import socketserver
import sys

import pytest
from hypothesis import HealthCheck, settings

from bed.fixture import bed, place, pytest_collection_modifyitems, pytest_runtest_protocol  # noqa: F401 - fixtures, hooks

# In CI the same examples are drawn each time, so that red means the change; new ones are found by hand and by campaigns.
settings.register_profile(
    "ours",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("ours")

# No test needs a registry of the network: what is pulled is pulled from one on loopback, and such a test says so.
os.environ.setdefault("HERA_UTILS_IMAGES", "stand-in")

# What was started in the background ignores Ctrl-C, and so would every command that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A server of one test whose client has gone writes nothing between the lines that another test reads.
_say_error = socketserver.BaseServer.handle_error


def _say_error_of_ours(server, request, client_address):
    if not isinstance(sys.exc_info()[1], ConnectionError):
        _say_error(server, request, client_address)


socketserver.BaseServer.handle_error = _say_error_of_ours

# Where CI runs, everything is installed (see .ci/run) and root may do everything: these skips alone are right there.
RIGHT_IN_CI = (
    "root may write everywhere",
    "already an ordinary user",
    "kubectl is not installed",
    "Hera's examples are not here",
)


def skipped_wrongly(reporter):
    reports = reporter.stats.get("skipped", []) if reporter else []
    reasons = {str(r.longrepr[2]).removeprefix("Skipped: ") for r in reports if isinstance(r.longrepr, tuple)}
    return sorted(reason for reason in reasons if not reason.startswith(RIGHT_IN_CI))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and exitstatus == 0 and skipped_wrongly(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("CI") == "true":
        for reason in skipped_wrongly(terminalreporter):
            terminalreporter.write_line(f"skipped, which CI must not: {reason}", red=True)
