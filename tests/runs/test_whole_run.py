"""A run as a whole, put together from its workflows."""

from typing import Any

from hera_utils.argo.faults import NOT_FOUND
from hera_utils.errors import Refused
from hera_utils.runs.whole_run import load_run


class Platform:
    namespace = "default"

    def get(self, name: str) -> dict[str, Any]:
        raise Refused(NOT_FOUND, f'workflows.argoproj.io "{name}" not found')

    def list(self, **_: Any) -> list[dict[str, Any]]:
        return [
            {"metadata": {"name": f"sweep-{number}", "creationTimestamp": "2026-11-30T12:00:00Z"}}
            for number in ("10", "gather", "2", "1")
        ]


def test_workflows_of_one_second_are_in_the_order_of_their_numbers_and_the_gathering_one_is_last() -> None:
    """What is still to come is judged by the last one."""
    client: Any = Platform()
    names = [one["metadata"]["name"] for one in load_run(client, "sweep").documents]
    assert names == ["sweep-1", "sweep-2", "sweep-10", "sweep-gather"]
