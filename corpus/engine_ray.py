"""`engine: ray`: one task a shard on a Ray cluster that is already running.

Tasks of Ray itself, not datatrove's RayPipelineExecutor: of datatrove 0.10.1 each of these was seen (docs/scale.md).
A worker process that is killed is never missed, and `run` waits for ever; a task over its time limit ends the whole run
with a KeyError; a task that raises is written to a debug log, with its message, and `run` returns as if it were done.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinicorpus_errors import UserError
from corpus.worker import run_job

if TYPE_CHECKING:
    from corpus.recipe import Cluster

POLL_SECONDS = 0.5


class RayScheduler:
    """Starts tasks on a Ray cluster, `workers` at a time. Worker processes stay warm from one call to the next."""

    def __init__(self, cluster: Cluster, workers: int) -> None:
        # Read when ray is imported: lines of these patterns are not printed. Ray prints the deaths of workers to standard
        # output, between the lines of --json, with log_to_driver=False too.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        # Ray looks for the cluster of this machine under TMPDIR, which a build moves into its own zone; not finding it there,
        # it takes any that runs here, other people's too.
        os.environ.setdefault("RAY_TMPDIR", "/tmp")
        try:
            import ray
        except ImportError:
            raise UserError(
                "engine: ray needs the package ray", next="pip install -c constraints.txt -e '.[ray]', on every node"
            ) from None
        self._ray: Any = ray
        try:
            ray.init(address=cluster.address or "auto", log_to_driver=False, logging_level=logging.CRITICAL)
        except (ConnectionError, ValueError, RuntimeError):
            raise UserError(
                "no Ray cluster answers",
                value=cluster.address or "none runs on this machine",
                next="ray start --head here, ray start --address=<this machine>:6379 on the others",
            ) from None
        self._workers = workers
        self._waiting: deque[tuple[Path, int]] = deque()
        self._tasks: list[Any] = []
        memory = cluster.memory_gb * 2**30
        found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(one.get("CPU", 0) >= 1 and one.get("memory", 0) >= memory for one in found):
            # Ray would keep the tasks waiting for such a node, and say nothing.
            largest = max((one.get("memory", 0) for one in found if one.get("CPU", 0) >= 1), default=0) // 2**30
            ray.shutdown()
            raise UserError(
                "no node of the Ray cluster is large enough for a shard",
                value=f"cluster.memory_gb {cluster.memory_gb}; the largest node with a core lends {largest:.0f}",
                next="a smaller cluster.memory_gb with more shards, or larger nodes",
            )
        # max_retries=0: who tries again is the engine, which counts, and not Ray as well.
        self._task = self._ray.remote(run_job).options(num_cpus=1, memory=memory, max_retries=0, name="clinicorpus")
        self._seconds = cluster.hours * 3600.0

    def start(self, spool: Path, indexes: Sequence[int]) -> None:
        """See corpus.cluster.Scheduler."""
        self._waiting.extend((spool, index) for index in indexes)
        self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._tasks) < self._workers:
            spool, index = self._waiting.popleft()
            self._tasks.append(self._task.remote(spool, index, self._seconds))

    def running(self) -> bool:
        """See corpus.cluster.Scheduler."""
        if self._tasks:
            ended, self._tasks = self._ray.wait(self._tasks, num_returns=1, timeout=POLL_SECONDS, fetch_local=False)
            for task in ended:
                # A task that was lost counts as ended like one that returned: its result is missed in the spool. Ray prints
                # the errors that nobody takes.
                with suppress(self._ray.exceptions.RayError):
                    self._ray.get(task)
            self._fill()
        return bool(self._tasks)

    def cancel(self) -> None:
        """See corpus.cluster.Scheduler."""
        self._waiting.clear()
        for task in self._tasks:
            self._ray.cancel(task, force=True)
        self._tasks.clear()

    def close(self) -> None:
        """See corpus.cluster.Scheduler."""
        self._ray.shutdown()
