"""DBOS: a workflow whose steps start the tasks' processes, two at a time."""

import asyncio

from dbos import DBOS
from task import command, leave, size, workload

DBOS(
    config={
        "name": "benchmark",
        "system_database_url": "sqlite:///dbos.sqlite",
        "log_level": "ERROR",
        "run_admin_server": False,
    }
)


@DBOS.step()
async def one(n):
    process = await asyncio.create_subprocess_exec(*command(n), stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


@DBOS.step()
async def total(lines):
    return str(sum(map(int, lines)))


@DBOS.workflow()
async def tasks():
    lines = []
    at_once = 1 if workload.name == "W3" else 2
    for n in range(0, size, at_once):  # whoever awaits them in another order than they began is not replayed
        lines += await asyncio.gather(*(one(k) for k in range(n, min(size, n + at_once))))
    return [await total(lines)] if workload.name == "W4" else lines


async def main():
    DBOS.launch()
    leave(await tasks())


asyncio.run(main())
