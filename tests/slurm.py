"""A Slurm of one host, for a test: munged, slurmctld and slurmd with their files in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
MpiDefault=none
ReturnToService=2
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why no Slurm can be started here, or None."""
    found = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    absent = [command for command in COMMANDS if shutil.which(command, path=found) is None]
    if absent:
        return f"Slurm is not installed (apt-get install slurm-wlm munge): no {', '.join(absent)}"
    return None if os.getuid() == 0 else "slurmd starts tasks as root only"


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Start the daemons; yields the configuration, for SLURM_CONF. `folder` must have a short path: it holds a socket."""
    for name in ("munge", "state", "spool", "logs"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(folder=folder, host=socket.gethostname().split(".")[0], controller=_port(), node=_port())
    )
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    munge = [f"--{name}={folder}/munge/{name.removesuffix('-file')}" for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")]  # fmt: skip
    commands = (["munged", "--force", "--foreground", *munge], ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-c"])
    with contextlib.ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder / "logs" / command[0]).open("wb"))
            daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            stack.callback(_stop, daemon)
        until = time.monotonic() + 30
        while "idle" not in _answer(["sinfo", "--noheader", "--format=%T"], environment):
            if time.monotonic() > until:
                raise RuntimeError("".join(path.read_text()[-2000:] for path in (folder / "logs").iterdir()))
            time.sleep(0.2)
        yield config


def _answer(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
