"""Checkpoints that count only when they are whole, and a stop that loses nothing.

transformers writes the files of a checkpoint straight into `checkpoint-N`, in no safe order, and takes the largest
N as the newest without a look inside. Here a checkpoint counts when its COMPLETE record verifies: the size and
sha256 of every file, written last, after all of them are on the disk.

    work/train/<name>/<stage>/checkpoint-N/           what transformers writes, and COMPLETE
    work/train/<name>/<stage>/broken-checkpoint-N/    did not verify: set aside, never read again

Everything hangs on TrainerCallbacks; saving and resuming are transformers' own. Its own answer to SIGTERM
(`enable_jit_checkpoint`) is not used: it waits three seconds, may save between two halves of a step, where the
random state no longer fits, and calls no `on_save`. Its `save_total_limit` is not used either: it deletes the old
checkpoint before the new one is known to be whole.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from pydantic import ValidationError

import manifests
from clinicorpus_errors import UserError
from manifests.canonical import fsync_folder
from manifests.corpus_manifest import Record
from manifests.training import Saved, Session
from train import hardware, processes, publish
from train.progress import say
from train.recipe import Checkpoints

COMPLETE = "COMPLETE"
STOPPED = 75
"""Exit code of a run that was told to stop and saved: EX_TEMPFAIL, "run it again"."""


class Content(Record):
    bytes: int
    sha256: str


class Complete(Record):
    """The record that makes a checkpoint count."""

    step: int
    planned: int
    """Steps the whole run takes."""
    finished: bool
    """Training ended with this step; only measuring and publishing are left."""
    files: dict[str, Content]
    """Path inside the checkpoint to what stands there: every file but this record."""
    earlier: list[Saved]
    """The checkpoints this one descends from, also those that were deleted since."""
    sessions: list[Session]


class Checkpoint(NamedTuple):
    folder: Path
    record: Complete
    digest: Saved
    """How later records and the training manifest name it."""


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / COMPLETE)


def _contents(folder: Path) -> dict[str, Content]:
    return {
        p.relative_to(folder).as_posix(): Content(bytes=p.stat().st_size, sha256=manifests.sha256_file(p))
        for p in _files(folder)
    }


def _checkpoint(folder: Path, data: bytes) -> Checkpoint:
    record = Complete.model_validate_json(data)
    size = sum(content.bytes for content in record.files.values())
    return Checkpoint(folder, record, Saved(step=record.step, bytes=size, sha256=manifests.sha256_bytes(data)))


def seal(folder: Path, **of: Any) -> Checkpoint:
    """Bring all files of a checkpoint to the disk, then write its COMPLETE record."""
    for path in _files(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for place in (*(p for p in folder.rglob("*") if p.is_dir()), folder, folder.parent):
        fsync_folder(place)
    data = manifests.canonical(Complete(files=_contents(folder), **of).model_dump(mode="json"))
    manifests.write_atomic(folder / COMPLETE, data)
    return _checkpoint(folder, data)


def read(folder: Path) -> Checkpoint | str:
    """The checkpoint in `folder` if it is whole, else in words why it does not count."""
    try:
        found = _checkpoint(folder, (folder / COMPLETE).read_bytes())
    except FileNotFoundError:
        return "the save was cut short"
    except (OSError, ValidationError):
        return "its record cannot be read"
    there = _contents(folder)
    for name, content in found.record.files.items():
        if there.pop(name, None) != content:
            return f"{name} is missing or damaged"
    return f"{next(iter(there))} does not belong to it" if there else found


def _folders(run: Path) -> list[Path]:
    """Checkpoint folders of a run, the newest first."""
    found = [p for p in run.glob("checkpoint-*") if p.is_dir() and p.name.removeprefix("checkpoint-").isdecimal()]
    return sorted(found, key=lambda p: int(p.name.removeprefix("checkpoint-")), reverse=True)


def newest(run: Path) -> Checkpoint | None:
    """The newest checkpoint of a run that counts. Broken ones found on the way are renamed, and named to the user."""
    for leftover in run.glob(".checkpoint-*.old"):
        shutil.rmtree(leftover, ignore_errors=True)
    for folder in _folders(run):
        found = read(folder)
        if isinstance(found, Checkpoint):
            return found
        number, aside = 1, run / f"broken-{folder.name}"
        while aside.exists():
            number, aside = number + 1, run / f"broken-{folder.name}-{number + 1}"
        folder.rename(aside)
        size = sum(p.stat().st_size for p in aside.rglob("*") if p.is_file())
        say(
            f"{folder.name} does not count: {found}; set aside as {aside.name} ({size / 1e6:,.0f} MB, never read again)"
        )
    return None


def _delete(folder: Path) -> None:
    """A kill on the way leaves a folder whose name begins with a dot, never half a checkpoint."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def prune(run: Path, keep: int) -> None:
    """Keep the newest `keep` checkpoints. Called only after the newest was sealed and read back."""
    for folder in _folders(run)[keep:]:
        _delete(folder)


def discard(run: Path) -> None:
    """Remove a run: its checkpoints first, the oldest last, then its record, so that a kill leaves a run to go on with."""
    for folder in _folders(run):
        _delete(folder)
    shutil.rmtree(run, ignore_errors=True)


class Stop:
    """Whether the user or the machine asked the run to stop."""

    asked = False


@contextmanager
def stop_requests() -> Iterator[Stop]:
    """Inside, SIGTERM or Ctrl-C asks to stop after the step at hand; Ctrl-C after that stops at once.

    SIGTERM may come any number of times: timeout(1) sends it to the process and to its group.
    """
    stop = Stop()
    before: dict[int, Any] = {}

    def ask(signum: int, frame: FrameType | None) -> None:
        if stop.asked and signum == signal.SIGINT:
            raise KeyboardInterrupt
        stop.asked = True

    if threading.current_thread() is threading.main_thread():
        before = {signum: signal.signal(signum, ask) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def keeper(want: Checkpoints, start: Checkpoint | None, stop: Stop, ended: Callable[[], bool] = lambda: False) -> Any:
    """A TrainerCallback that says when to save, seals what was saved, and stops when asked to.

    It comes last among the callbacks, so that it sees whether another one ends the training. ended: whether one did so
    after an evaluation, which comes after the end of the step.
    """
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def __init__(self) -> None:
            self.last, self.began_at, self.finished = start, start.record.step if start else 0, False
            self.meter, self.saved_at = hardware.Meter(), time.monotonic()

        def sessions(self, step: int) -> list[Session]:
            """Earlier sessions and this one, up to `step`."""
            cost = self.meter.read()
            mine = Session(
                from_step=self.began_at, to_step=step,
                wall_seconds=cost["wall_seconds"], cpu_seconds=cost["cpu_seconds"],
            )  # fmt: skip
            return [*(start.record.sessions if start else []), mine]

        def lineage(self) -> list[Saved]:
            """Every checkpoint up to the newest."""
            return [*self.last.record.earlier, self.last.digest] if self.last else []

        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            self.meter, self.saved_at = hardware.Meter(), time.monotonic()
            run = Path(args.output_dir)
            run.mkdir(parents=True, exist_ok=True)
            # Weights, and two moments for each one that is trained; a new checkpoint stands beside those kept.
            size = sum(p.numel() * (p.element_size() + 8 * p.requires_grad) for p in model.parameters())
            publish.need_space(run, size * (want.keep + 1), "its checkpoints")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.finished = control.should_training_stop
            minutes = (time.monotonic() - self.saved_at) / 60
            due = (want.every_steps is not None and state.global_step % want.every_steps == 0) or (
                want.every_minutes is not None and minutes >= want.every_minutes
            )
            # Each process has a clock of its own, and perhaps one alone is told to stop; all must save together.
            stopping, due = map(any, zip(*processes.from_all((stop.asked, due)), strict=True))
            if stopping and not self.finished:
                say(f"stopping: saving step {state.global_step} of {state.max_steps}")
                control.should_training_stop = True
            control.should_save = due or control.should_training_stop

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if ended():
                self.finished = control.should_save = True

        def sealed(self, run: Path, state: Any) -> Checkpoint:
            last = seal(
                run / f"checkpoint-{state.global_step}", step=state.global_step, planned=state.max_steps,
                finished=self.finished, earlier=self.lineage(), sessions=self.sessions(state.global_step),
            )  # fmt: skip
            prune(run, want.keep)
            return last

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            run = Path(args.output_dir)
            processes.wait()  # every process writes its random state
            self.last = processes.from_main(lambda: self.sealed(run, state))
            self.saved_at = time.monotonic()

    return Keeper()


def stopped(stage: str, last: Checkpoint | None) -> UserError:
    """What a run ends with that was told to stop and saved."""
    assert last
    return UserError(
        "training was told to stop; nothing is lost",
        value=f"{stage} stands at step {last.record.step} of {last.record.planned}",
        next="run the same command again; it goes on from there",
        exit_code=STOPPED,
    )
