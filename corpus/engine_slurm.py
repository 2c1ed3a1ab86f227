"""`engine: slurm`: one array task a shard, through datatrove's SlurmPipelineExecutor.

datatrove writes the batch script, pickles the step and submits the array. What it says of completion is not asked (an
empty file for each rank that is tied neither to the input nor to the parameters): `skip_completed=False`, and the
engine looks for results.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinicorpus_errors import UserError
from corpus.worker import run_job

if TYPE_CHECKING:  # a task imports this module before it has its environment
    from corpus.recipe import Cluster

try:
    from datatrove.executor.slurm import SlurmPipelineExecutor
    from loguru import logger
except ImportError:
    raise UserError(
        "engine: slurm needs the package datatrove", next="pip install -c constraints.txt -e '.[ray]', on every node"
    ) from None

ARRAY = 1000  # Slurm's MaxArraySize is 1001 unless a site changed it
POLL_SECONDS = (0.5, 15.0)
LEAVE_SECONDS = 30


def array_number(said: str) -> str:
    """The number in what sbatch says, which is its last word unless the site names a cluster behind it."""
    return re.findall(r"\d+", said)[0]


class Shards:
    """The one step of the pipeline: rank r works on the r-th of `indexes`. It reads and writes in the spool only."""

    def __init__(self, spool: Path, indexes: Sequence[int]) -> None:
        self.spool, self.indexes = spool, list(indexes)

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        run_job(self.spool, self.indexes[rank])

    def __repr__(self) -> str:
        return f"{len(self.indexes)} shards of {self.spool.name}"


class ShardArray(SlurmPipelineExecutor):
    """An array of tasks that leaves nothing behind in the queue."""

    def launch_merge_stats(self) -> None:
        """Not launched: it waits for all tasks to succeed, and where one does not it stays in the queue for good."""

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        """Without the options that have no value: datatrove would write `--partition` alone, which sbatch refuses."""
        return {key: value for key, value in super().get_sbatch_args(max_array).items() if value is not None}


class SlurmScheduler:
    """Submits arrays, `workers` tasks at a time, and asks the queue for them. `folder` keeps their numbers."""

    def __init__(self, cluster: Cluster, workers: int, name: str, folder: Path) -> None:
        absent = [command for command in ("sbatch", "squeue", "scancel") if shutil.which(command) is None]
        if absent:
            raise UserError(
                "engine: slurm needs Slurm's commands", value=f"not found: {', '.join(absent)}",
                next="run this on a login node, or --set engine=local",
            )  # fmt: skip
        logger.disable("datatrove")  # the progress of a build is told by its own bars
        self._cluster, self._workers, self._name = cluster, workers, name
        self._numbers = folder / "arrays"
        self._arrays: list[str] = []
        self._pause = POLL_SECONDS[0]
        # A build that was killed leaves its tasks in the queue.
        if self._numbers.is_file():
            self._arrays = self._numbers.read_text().split()
            self.cancel()

    def start(self, spool: Path, indexes: Sequence[int]) -> None:
        """See corpus.cluster.Scheduler. Raises UserError when sbatch refuses."""
        # The batch script calls datatrove's command by its name.
        path = f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH"
        before = None
        for start in range(0, len(indexes), ARRAY):
            part = indexes[start : start + ARRAY]
            array = ShardArray(
                [Shards(spool, part)], tasks=len(part), workers=self._workers, job_name=self._name,
                time=f"{self._cluster.hours}:00:00", partition=self._cluster.partition,
                mem_per_cpu_gb=self._cluster.memory_gb, sbatch_args=dict(self._cluster.sbatch),
                # Relative to nothing: the tasks' own folders stand beside the jobs, in the PHI zone.
                logging_dir=str(spool / f"tasks-{len(self._arrays):03d}"), skip_completed=False,
                env_command="\n".join(filter(None, (self._cluster.setup, path))),
                # An array task is one process on one node: srun, datatrove's default, would add a step to it and nothing else.
                with_srun=False, qos=None, requeue_signals=None, max_array_size=ARRAY, job_id_retriever=array_number,
                depends_job_id=before, run_on_dependency_fail=True,
            )  # fmt: skip
            try:
                # Not run(): inside an array task it takes itself for one of its own tasks and submits nothing.
                array.launch_job()
            except subprocess.CalledProcessError:
                raise UserError(
                    "sbatch refused the shards", cause="it said why above",
                    next="correct cluster.partition, cluster.memory_gb, cluster.hours or cluster.sbatch",
                ) from None  # fmt: skip
            before = array.job_id
            self._arrays.append(array.job_id)
            self._numbers.write_text(" ".join(self._arrays))
        self._pause = POLL_SECONDS[0]

    def _queued(self) -> bool:
        """Whether any array is in the queue. A controller that does not answer has not said that it is empty."""
        asked = subprocess.run(
            ["squeue", "--noheader", "--me", "--format=%F"], capture_output=True, text=True, check=False
        )
        return asked.returncode != 0 or not set(self._arrays).isdisjoint(asked.stdout.split())

    def running(self) -> bool:
        """See corpus.cluster.Scheduler."""
        time.sleep(self._pause)
        self._pause = min(self._pause * 1.3, POLL_SECONDS[1])
        return self._queued()

    def cancel(self) -> None:
        """See corpus.cluster.Scheduler."""
        if self._arrays:
            subprocess.run(["scancel", f"--name={self._name}", *self._arrays], capture_output=True, check=False)

    def close(self) -> None:
        """Wait until the last tasks have written their logs, or removing the folder would race with them."""
        until = time.monotonic() + LEAVE_SECONDS
        while self._arrays and self._queued() and time.monotonic() < until:
            time.sleep(POLL_SECONDS[0])
