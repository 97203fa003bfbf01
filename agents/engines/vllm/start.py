"""Start a vLLM engine within a time limit, one at a time, and on a CPU behind the process that asks it; end it.

vLLM waits for its engine process as long as that lives: ``VLLM_ENGINE_READY_TIMEOUT_S`` only bounds what comes after.
So the process of an engine that is late is killed, which vLLM notices.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess

from agents.core.errors import EngineError

PROCESS_NAME = "EngineCore"
"""What vLLM's engine processes are called, or begin with."""
LOOK_SECONDS = 0.1
ENGINE_NICENESS = 10
"""Behind this process, which must answer in time, and before what fills the pool of questions, which is at 19."""

SHUTDOWN_SECONDS = 15.0
"""How long an engine may take to end by itself. vLLM gives ROCm as long: one killed earlier may leave the card's memory
taken."""

_starting = threading.Lock()


@contextmanager
def ready_within(seconds: float) -> Iterator[None]:
    """Around the start of an engine: kills the engine processes that the block starts and that are not ready in time.

    Blocks wait for one another: on a GPU each engine measures the memory that those before it have left. Raises
    EngineError after ``seconds`` inside the block, whatever became of it. Engines on other machines are not reached.
    """
    with _starting:
        others = _engine_processes()
        over, late = threading.Event(), threading.Event()

        def watch() -> None:
            if over.wait(seconds):
                return
            late.set()
            # Until the block ends, since it may not have started its process by then.
            while not over.wait(LOOK_SECONDS):
                for engine in _engine_processes() - others:
                    engine.kill()

        watcher = threading.Thread(target=watch, name="aiac-vllm-start", daemon=True)
        watcher.start()
        try:
            yield
        except Exception:
            if not late.is_set():
                raise
        finally:
            over.set()
            watcher.join()
    if late.is_set():
        raise EngineError(f"not ready within {seconds:g} s (AIAC_VLLM_READY_TIMEOUT_SECONDS)")


def engines_give_way() -> None:
    """Lowers the priority of the engine processes of this one, and of what those started.

    On a CPU they compute on the cores that this process needs to meet its deadlines, and their schedulers spin on them.
    """
    import psutil

    for engine in _engine_processes():
        with suppress(psutil.Error, OSError):
            process = psutil.Process(engine.pid)
            for each in (process, *process.children(recursive=True)):
                # Linux keeps a priority for each thread; those that come later have it from the one that starts them.
                for thread in each.threads():
                    niceness = max(ENGINE_NICENESS, os.getpriority(os.PRIO_PROCESS, thread.id))
                    os.setpriority(os.PRIO_PROCESS, thread.id, niceness)


def end_engines(grace_s: float = SHUTDOWN_SECONDS) -> None:
    """End the engine processes of this one, and what those started; kill what is left after ``grace_s``.

    For a process that leaves without its clean-up: an engine that loads does not notice, and keeps the card's memory.
    """
    engines = _engine_processes()
    if not engines:
        return
    import psutil

    workers = []
    for engine in engines:
        with suppress(psutil.Error):
            workers += psutil.Process(engine.pid).children(recursive=True)
        engine.terminate()
    end = time.monotonic() + grace_s
    for engine in engines:
        engine.join(max(0.0, end - time.monotonic()))
        engine.kill()
    for worker in workers:
        with suppress(psutil.Error):
            worker.kill()


def _engine_processes() -> set[BaseProcess]:
    """Those that this process has started and that run."""
    return {child for child in multiprocessing.active_children() if child.name.startswith(PROCESS_NAME)}
