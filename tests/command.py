"""The command, run inside the test process: heavy imports are paid once, not for each of a hundred calls."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import clinicorpus


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back what a build changes in its process: environment, umask, folders, argv."""
    environment, umask, folder, argv = dict(os.environ), os.umask(0), Path.cwd(), sys.argv
    os.umask(umask)
    temporary = tempfile.tempdir
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        os.umask(umask)
        os.chdir(folder)
        tempfile.tempdir, sys.argv = temporary, argv


def run_command(cwd: Path, *args: object, **environment: str) -> Done:
    """`clinicorpus ARGS` in `cwd`. A traceback would reach the test as an exception."""
    out, err = io.StringIO(), io.StringIO()
    with _as_it_was(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        os.environ.pop("CLINICORPUS_TRACEBACK", None)
        os.environ.update(environment)
        os.chdir(cwd)
        sys.argv = ["clinicorpus", *map(str, args)]
        code = 0
        try:
            clinicorpus.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return Done(code, out.getvalue(), err.getvalue())
