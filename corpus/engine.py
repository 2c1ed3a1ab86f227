"""Run one function over many shards. `done` means that the records the function writes exist, nothing else.

An `Engine` decides where: `local` here, `ray` and `slurm` in corpus/cluster.py.

`local` is the process pool of the standard library. Workers are spawned, not forked (polars and tokenizers hold
threads), run polars on one thread, never import torch, and end when their parent does.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from clinicorpus_errors import UserError
from corpus.worker import ONE_THREAD

ATTEMPTS = 3


class Engine(Protocol):
    """Where shards run."""

    workers: int
    """How many jobs run at once, at most."""

    def run_shards(
        self, fn: Callable[[Any], Any], jobs: Sequence[Any], done: Callable[[], None] = lambda: None
    ) -> list[Any]:
        """Results of `fn(job)` in the order of `jobs`; `done()` is called after each. `fn` is a function of a module.

        A job whose worker was killed goes again, ATTEMPTS times at most. Raises UserError.
        """


class Failure(NamedTuple):
    """What a worker may say about an exception: its type and where it was raised. Messages can hold text of notes."""

    kind: str
    where: str


def hide_torch() -> None:
    """Make the import of torch fail in this process, which presidio and spaCy take as "not there".

    Where torch is installed they pull it in: 13 s and 391 MB instead of 3.7 s and 112 MB a worker.
    """
    sys.modules["torch"] = None  # type: ignore[assignment]


def _start_worker() -> None:
    os.umask(0o077)
    hide_torch()
    parent = multiprocessing.parent_process()
    if parent is not None:

        def leave_with_parent() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=leave_with_parent, daemon=True).start()


def guarded(fn: Callable[[Any], Any], job: Any) -> Any:
    """Call `fn(job)`; hand back a Failure instead of an exception, unless it is one written for the user."""
    try:
        return fn(job)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - everything is turned into a type name, on purpose
        if is_disk_full(error):
            raise disk_full() from None
        if isinstance(error, OSError):
            raise UserError("a file could not be read or written", value=error.strerror) from None
        return failure_of(error)


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception means that the disk is full; polars and sqlite say so in their message only."""
    codes = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError) and error.errno in codes:
        return True
    told = str(error)
    return "disk is full" in told or any(f"os error {code})" in told for code in codes)


def failure_of(error: BaseException) -> Failure:
    """Type and innermost place of an exception."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f"{os.path.basename(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}" if last else "unknown"
    return Failure(type(error).__name__, where)


def disk_full() -> UserError:
    """The error for a full disk."""
    return UserError(
        "the disk is full",
        cause="what was finished before is kept; nothing half-written counts",
        next="free space (clinicorpus corpus clean), then run the same command again",
    )


class LocalEngine:
    """A pool of worker processes on this machine."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def _start(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
            )
        return self._pool

    def run_shards(
        self, fn: Callable[[Any], Any], jobs: Sequence[Any], done: Callable[[], None] = lambda: None
    ) -> list[Any]:
        """See Engine. A killed worker breaks the pool: all jobs without a result go again."""
        results: dict[int, Any] = {}
        for _attempt in range(ATTEMPTS):
            missing = [i for i in range(len(jobs)) if i not in results]
            if not missing:
                break
            pool = self._start()
            try:
                pending: dict[Future[Any], int] = {pool.submit(guarded, fn, jobs[i]): i for i in missing}
                while pending:
                    finished, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in finished:
                        index = pending.pop(future)
                        results[index] = future.result()
                        if isinstance(results[index], Failure):
                            raise stage_failed(results[index], jobs[index])
                        done()
            except BrokenProcessPool:
                self.close()
            except BaseException:
                self.close()
                raise
        if len(results) < len(jobs):
            raise UserError(
                "a worker process was killed three times",
                value=f"{len(jobs) - len(results)} of {len(jobs)} shards are missing",
                cause="usually too little memory for this many workers",
                next="run again with --set workers=1, or more shards (--set shards=32)",
                exit_code=1,
            )
        return [results[i] for i in range(len(jobs))]

    def close(self, *, wait: bool = False) -> None:
        """End the workers; with `wait`, count their CPU time into this process's children."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)
            self._pool = None


def stage_failed(failure: Failure, job: Any) -> UserError:
    """The error for a stage that raised on a job."""
    return UserError(
        "a stage failed",
        value=f"{failure.kind} at {failure.where} in {getattr(job, 'label', 'a job')}",
        cause="a defect of the stage; its message is withheld because it may hold text of a note",
        next="report it with this line; finished shards are kept",
        exit_code=1,
    )


@contextmanager
def local_engine(workers: int) -> Iterator[LocalEngine]:
    """A LocalEngine whose children inherit one-threaded polars and tokenizers."""
    os.environ.update(ONE_THREAD)
    engine = LocalEngine(workers)
    try:
        yield engine
        engine.close(wait=True)
    finally:
        engine.close()
