"""Shards on a cluster: the same function, the same records, other machines.

The engine writes the jobs of a call into a spool, lets a scheduler start one task a job, and takes results from the
spool as they come. A scheduler is only a starter: whether a job is done is told by its result, never by what the
scheduler says of its task. So a task that was killed, lost, ended by its time limit or run twice needs no special case.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from clinicorpus_errors import UserError
from corpus.engine import ATTEMPTS, Engine, Failure, local_engine, stage_failed
from corpus.keys import keys_folder
from corpus.recipe import Recipe
from corpus.worker import ONE_THREAD, dump, fingerprint, job_file, load, result_file, started_file, write_whole
from manifests.canonical import canonical

# What a build sets for its processes (corpus/zones.py), and what children of this process would inherit.
ENVIRONMENT = (
    "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "CLINICORPUS_CACHE",
)  # fmt: skip


class Scheduler(Protocol):
    """What starts tasks on a cluster."""

    def start(self, spool: Path, indexes: Sequence[int]) -> None:
        """Have `run_job(spool, index)` called for each index, each in a process of its own or one after the other."""

    def running(self) -> bool:
        """Wait a moment; whether a task that was started may still give a result."""

    def cancel(self) -> None:
        """End the tasks that were started."""

    def close(self) -> None:
        """Let go of the cluster."""


class ClusterEngine:
    """An Engine over a scheduler. `folder` (PHI zone, seen by all nodes) holds one spool a call until the end of the build."""

    def __init__(self, scheduler: Scheduler, workers: int, folder: Path) -> None:
        self.workers = workers
        self._scheduler, self._folder, self._calls = scheduler, folder, 0

    def _spool(self, fn: Callable[[Any], Any], jobs: Sequence[Any]) -> Path:
        self._calls += 1
        spool = self._folder / f"{self._calls:03d}-{fn.__name__.strip('_')}"
        spool.mkdir(parents=True)
        for index, job in enumerate(jobs):
            write_whole(job_file(spool, index), dump((fn, job)))
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        header = {
            "fingerprint": fingerprint(), "cwd": os.getcwd(),
            "environment": {**environment, **ONE_THREAD, "CLINICORPUS_KEYS": str(keys_folder().resolve())},
        }  # fmt: skip
        write_whole(spool / "header.json", canonical(header))
        return spool

    def run_shards(
        self, fn: Callable[[Any], Any], jobs: Sequence[Any], done: Callable[[], None] = lambda: None
    ) -> list[Any]:
        """See Engine."""
        if not jobs:
            return []
        spool = self._spool(fn, jobs)
        results: dict[int, Any] = {}

        def take() -> None:
            for index in sorted(set(range(len(jobs))) - results.keys()):
                if result_file(spool, index).exists():
                    result = load(result_file(spool, index).read_bytes())
                    if isinstance(result, UserError):
                        raise result
                    if isinstance(result, Failure):
                        raise stage_failed(result, jobs[index])
                    results[index] = result
                    done()

        try:
            for _attempt in range(ATTEMPTS):
                missing = sorted(set(range(len(jobs))) - results.keys())
                if not missing:
                    break
                self._scheduler.start(spool, missing)
                running = True
                while running and len(results) < len(jobs):
                    running = self._scheduler.running()
                    take()
        except BaseException:
            self._scheduler.cancel()
            raise
        if len(results) < len(jobs):
            raise _lost(spool, sorted(set(range(len(jobs))) - results.keys()), len(jobs))
        return [results[index] for index in range(len(jobs))]


def _lost(spool: Path, missing: Sequence[int], total: int) -> UserError:
    nodes = {path.read_text().split()[0] for i in missing if (path := started_file(spool, i)).exists()}
    return UserError(
        f"shards did not come back from the cluster in {ATTEMPTS} attempts",
        value=f"{len(missing)} of {total}, last in work on {', '.join(sorted(nodes)) or 'no node'}",
        cause="the worker was killed (too little memory, or longer than cluster.hours), or its node does not see the workspace "
        "or works there as another user" if nodes else "no node sees the workspace, or all work there as another user",
        next=f"more shards (--set shards=64) or memory (--set cluster.memory_gb=8); logs of the tasks: {spool.parent}",
        exit_code=1,
    )  # fmt: skip


@contextmanager
def cluster_engine(scheduler: Scheduler, workers: int, folder: Path) -> Iterator[ClusterEngine]:
    """A ClusterEngine; after an error the folder stays, with the logs of its tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield ClusterEngine(scheduler, workers, folder)
    except BaseException:
        scheduler.cancel()
        scheduler.close()
        raise
    scheduler.close()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_engine(recipe: Recipe, folder: Path) -> Iterator[Engine]:
    """The engine that `recipe` names; `folder`, in the PHI zone, is where it may keep what it needs. Raises UserError."""
    if recipe.engine == "local":
        with local_engine(recipe.worker_count()) as local:
            yield local
        return
    scheduler: Scheduler
    if recipe.engine == "ray":
        from corpus.engine_ray import RayScheduler

        scheduler = RayScheduler(recipe.cluster, recipe.worker_count())
    else:
        from corpus.engine_slurm import SlurmScheduler

        scheduler = SlurmScheduler(recipe.cluster, recipe.worker_count(), f"clinicorpus-{recipe.name}", folder)
    shutil.rmtree(folder, ignore_errors=True)
    with cluster_engine(scheduler, recipe.worker_count(), folder) as engine:
        yield engine
