"""Processes that the benchmarks start, and their end."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import warnings

import psutil
from polling import until

from benchmarks.serve_processes import ended_after


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_server_is_ended_together_with_what_it_left_behind() -> None:
    # As vLLM's workers do when their engine is killed: the one in the middle goes, and the last one stays.
    script = "bash -c 'sleep 600 & echo $!' ; sleep 600"

    async def run() -> None:
        async with ended_after(["bash", "-c", script], stdout=subprocess.PIPE) as started:
            assert started.stdout is not None
            orphan = int(await started.stdout.readline())
            assert is_running(orphan)
            # In one session with this process, or Linux would share the processors out between the two of them first.
            assert os.getsid(started.pid) == os.getsid(0)
        await until(lambda: not is_running(orphan))
        assert started.returncode is not None

    asyncio.run(run())


def test_a_server_that_had_ended_before_leaves_no_pipe_to_the_collector() -> None:
    async def run() -> None:
        async with ended_after(["bash", "-c", "sleep 600 &"], stdout=subprocess.PIPE) as started:
            await until(lambda: started.returncode is not None)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
