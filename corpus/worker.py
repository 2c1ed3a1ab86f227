"""One shard on a node of a cluster, between the spool and nothing else.

What travels through a cluster's own channels is a folder and a number. The job, which may hold text of notes, and its
result stand in the *spool*, a folder of the PHI zone that all nodes see. A cluster's machinery keeps what it is given
(Ray's object store spills to disk, its logs and Slurm's are files of every task), so nothing of a job may reach it: no
argument, no result, no exception, no line of output.

Only the standard library is imported before the environment of the build is set: polars reads how many threads it may
have when it is imported.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from clinicorpus_errors import UserError

# A shard has one core.
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}


def job_file(spool: Path, index: int) -> Path:
    """Where job number `index` stands: its function and its argument."""
    return spool / f"job-{index:05d}"


def result_file(spool: Path, index: int) -> Path:
    """Where the result of job number `index` stands once it is whole."""
    return spool / f"result-{index:05d}"


def started_file(spool: Path, index: int) -> Path:
    """Where the node and the process that took job number `index` last name themselves."""
    return spool / f"started-{index:05d}"


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` under a name of this process, then give it its name: what has the name is whole, on any file system."""
    partial = path.with_name(f".partial-{path.name}-{socket.gethostname()}-{os.getpid()}")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


class _Pickler(pickle.Pickler):
    """Keys are named, never written: they have no place in the workspace, and whoever may use them can read their folder."""

    def persistent_id(self, obj: Any) -> Any:
        from corpus.keys import NO_KEYS, Keys

        return ("keys", obj.id, obj.kind) if isinstance(obj, Keys) and obj != NO_KEYS else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        from corpus.keys import keys_named

        _, id, kind = pid
        return keys_named(id, kind)


def dump(value: Any) -> bytes:
    """`value` as bytes, without the keys in it."""
    file = io.BytesIO()
    _Pickler(file, protocol=5).dump(value)
    return file.getvalue()


def load(data: bytes) -> Any:
    """What `dump` was given. Raises UserError when a key in it cannot be found here."""
    return _Unpickler(io.BytesIO(data)).load()


@cache
def fingerprint() -> str:
    """What code answers here: the sources of the rooms, sizes of their data files, and the libraries a result depends on.

    A node with another version would write other bytes under a name that says they are this version's.
    """
    from corpus.runner import ROOMS, SOURCE_ROOT
    from corpus.stages import STAGES
    from manifests.canonical import canonical, sha256_bytes, sha256_file

    found: dict[str, Any] = {"python": sys.version_info[:2]}
    for room in ROOMS:
        for path in sorted(SOURCE_ROOT.joinpath(room).rglob("*")) or [SOURCE_ROOT / f"{room}.py"]:
            if path.is_file() and path.suffix != ".pyc" and path.name != "manifest.json":
                name = str(path.relative_to(SOURCE_ROOT))
                # Digests of the data files (models, lexicons) would take longer than to import everything: 0.8 s.
                found[name] = sha256_file(path) if path.suffix == ".py" else path.stat().st_size
    for library in {"numpy", "polars", "pyarrow", "tokenizers"}.union(*(stage.LIBRARIES for stage in STAGES.values())):
        found[library] = metadata.version(library)
    return sha256_bytes(canonical(found))


def _mute() -> None:
    """Send what this process prints to nowhere: a library's warning or a panic may quote the text it stumbled over."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def run_job(spool: Path, index: int, seconds: float | None = None) -> None:
    """Run job number `index` and write its result, unless it is there. Raises nothing, prints nothing.

    After `seconds` the kernel ends the process, as it would for want of memory: no thread of ours has to get its turn.
    """
    _mute()
    os.umask(0o077)
    try:
        if result_file(spool, index).exists():
            return
        header = json.loads((spool / "header.json").read_bytes())
        write_whole(started_file(spool, index), f"{socket.gethostname()} {os.getpid()}".encode())
        if seconds:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, seconds)
        os.environ.update(header["environment"])
        tempfile.tempdir = os.environ.get("TMPDIR")
        with suppress(
            OSError
        ):  # paths in a recipe are relative to where the command runs; absolute ones need no such folder
            os.chdir(header["cwd"])
        result = _answer(spool, index, header["fingerprint"])
        write_whole(result_file(spool, index), result)
    except BaseException:  # noqa: BLE001 - whatever is raised here would be printed by the cluster, with its message
        return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(spool: Path, index: int, expected: str) -> bytes:
    from corpus.engine import failure_of, guarded, hide_torch

    hide_torch()
    try:
        if fingerprint() != expected:
            raise UserError(
                "a node runs another version of clinicorpus or of a library",
                value=socket.gethostname(),
                cause="its results would stand under a name that says they are this version's",
                next="install the same versions on all nodes (constraints.txt), or one environment that all see",
            )
        fn, job = load(job_file(spool, index).read_bytes())
        return dump(guarded(fn, job))
    except UserError as error:
        return dump(error)
    except Exception as error:  # noqa: BLE001 - what cannot be read or written is told by its type and place
        return dump(failure_of(error))
