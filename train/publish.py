"""A folder appears whole or not at all; two runs never write the same one."""

from __future__ import annotations

import errno
import fcntl
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from clinicorpus_errors import UserError
from manifests.canonical import fsync_folder


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process. Raises UserError if another one does; a killed holder holds nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                "another run is writing this model", value=folder.name, next="wait for it to end, or stop it"
            ) from None
        yield


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A staging folder that becomes `folder` when the block ends without an error, replacing what stood there.

    Under `lock`. A kill leaves at most a folder whose name begins with a dot; the next run removes it, or puts
    it back if the kill came between the two renames.
    """
    staging, old = (folder.with_name(f".{folder.name}.{suffix}") for suffix in ("partial", "old"))
    _tidy(folder, staging, old)
    staging.mkdir(parents=True)
    try:
        yield staging
        if folder.exists():
            folder.rename(old)
        staging.rename(folder)
        fsync_folder(folder.parent)
    finally:
        _tidy(folder, staging, old)


def _tidy(folder: Path, staging: Path, old: Path) -> None:
    if old.exists() and not folder.exists():
        old.rename(folder)
    for leftover in (staging, old):
        shutil.rmtree(leftover, ignore_errors=True)


def need_space(folder: Path, needed: int, what: str) -> None:
    """Raises UserError if the disk below `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"the disk is too full for {what}",
            value=f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed",
            next="free some space, or delete models that are not needed",
        )


def _is_disk_full(error: BaseException) -> bool:
    # safetensors wraps the system's error in one of its own that carries only the text.
    # torch's writer of archives says only that something failed, in three ways by the size of what it wrote.
    told = ("os error 28", "PytorchStreamWriter failed writing", "unexpected pos", "iostream error")
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(part in str(error) for part in told)


def _is_out_of_memory(error: BaseException) -> bool:
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)  # what torch's CPU allocator says, as a RuntimeError
    )


def _is_lost_process(error: BaseException) -> bool:
    # gloo's own errors are plain RuntimeErrors that name its source files; NCCL and the store have types.
    names = ("DistBackendError", "DistNetworkError", "DistStoreError")
    return "gloo/transport" in str(error) or type(error).__name__ in names


@contextmanager
def clean_exit() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM, a full disk, exhausted memory and a lost process into a UserError, after everything inside has cleaned up."""

    def terminate(signum: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminate) if in_main else None
    try:
        yield
    except KeyboardInterrupt:
        raise UserError(
            "training was interrupted; no model was written",
            next="run it again; it goes on from its last checkpoint",
            exit_code=130,
        ) from None
    except SystemExit as stop:
        if stop.code != 128 + signal.SIGTERM:
            raise
        raise UserError(
            "training was told to stop (SIGTERM); no model was written",
            next="run it again; it goes on from its last checkpoint",
            exit_code=143,
        ) from None
    except Exception as error:
        if _is_disk_full(error):
            raise UserError(
                "the disk is full; no model was written",
                next="free some space and run it again; it goes on from its last checkpoint",
            ) from None
        if _is_out_of_memory(error):
            raise UserError(
                "there is not enough memory for this model and recipe",
                next="lower max_length or batch_size, or take a smaller base model",
            ) from None
        if _is_lost_process(error):
            raise UserError(
                "another process of this run is gone; no model was written",
                cause="it was killed, ran out of memory, or its machine failed: see what it said last",
                next="run it again; it goes on from its last checkpoint",
            ) from None
        raise
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)
