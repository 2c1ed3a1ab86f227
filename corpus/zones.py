"""The workspace and its zones: what may stand where, and how the PHI zone is kept shut.

`work/` is the PHI zone: umask 077, with temporary files and library caches pinned inside it, so that no
library drops note text elsewhere. `corpora/` and `manifests/versions/` hold what may be released.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clinicorpus_errors import UserError

RESERVED = ("tmp", "cache", "lock")  # names in work/ that no corpus can have


class Workspace:
    """Paths of one workspace folder. Nothing is created before `enter`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.work = self.root / "work"
        self.temporary = self.work / "tmp"
        self.cache = self.work / "cache"
        self.crosswalk = self.work / "crosswalk.sqlite"

    def build(self, name: str) -> Path:
        """Folder for everything of one corpus that stays in the PHI zone."""
        return self.work / name

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Close the umask, pin temporary files and caches, refuse a second run in the same workspace."""
        os.umask(0o077)
        try:
            for folder in (self.work, self.temporary, self.cache):
                folder.mkdir(parents=True, exist_ok=True)
            self.work.chmod(0o700)
        except OSError as error:
            raise UserError(
                "the workspace cannot be written", value=f"{self.root}: {error.strerror}", next="choose another --root"
            ) from None
        for variable in ("TMPDIR", "TEMP", "TMP"):
            os.environ[variable] = str(self.temporary)
        tempfile.tempdir = str(self.temporary)
        # What the detector compiles of its patterns holds no text and stays where the user's caches are (deid/note.py).
        user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        os.environ.setdefault("CLINICORPUS_CACHE", str(user / "clinicorpus"))
        os.environ["XDG_CACHE_HOME"] = os.environ["HF_HOME"] = str(self.cache)
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
        with (self.work / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise UserError(
                    "another build runs in this workspace",
                    value=f"process {lock.read().strip() or 'unknown'}",
                    next="wait for it, or give this one its own --root",
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
