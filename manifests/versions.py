"""Where sealed versions live, and which one is the newest."""

from __future__ import annotations

import re
from pathlib import Path

from clinicorpus_errors import UserError
from manifests.canonical import sha256_file

VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def version_folder(root: Path, name: str, version: str) -> Path:
    """Folder of one sealed manifest."""
    return root / "manifests" / "versions" / name / version


def corpus_folder(root: Path, name: str, version: str) -> Path:
    """Folder of the released files that manifest describes."""
    return root / "corpora" / name / version


def _order(path: Path) -> tuple[int, ...]:
    match = VERSION.fullmatch(path.parent.name)
    return tuple(int(part) for part in match.groups()) if match else (-1,)


def sealed(root: Path, name: str | None = None) -> list[Path]:
    """Every sealed corpus manifest.json below `root`, by name, then by version."""
    found = (root / "manifests" / "versions").glob(f"{name or '*'}/*/manifest.json")
    return sorted((p for p in found if VERSION.fullmatch(p.parent.name)), key=lambda p: (p.parts[-3], _order(p)))


def newest(root: Path, name: str | None = None) -> Path:
    """The manifest sealed last: of one corpus by version, of all by time of sealing.

    Raises UserError when there is none.
    """
    found = sealed(root, name)
    if not found:
        raise UserError(
            "no sealed corpus" + (f" named {name}" if name else ""),
            cause="no build has finished in this folder",
            next="make corpus",
        )
    if name:
        return found[-1]
    return max(found, key=lambda p: (p.stat().st_mtime_ns, _order(p)))


def predecessor(root: Path, name: str) -> tuple[str, str] | None:
    """Version and manifest digest of the last sealed build of `name`."""
    found = sealed(root, name)
    return (found[-1].parent.name, sha256_file(found[-1])) if found else None


def next_version(root: Path, name: str, line: str) -> str:
    """`line` is MAJOR.MINOR; a sealed version never changes, so each build of other content gets the next patch.

    A folder of released files whose manifest is not here keeps its number too.
    """
    there = [p.parent.name for p in sealed(root, name)] + [p.name for p in corpus_folder(root, name, "").glob("*")]
    taken = [int(v.split(".")[2]) for v in there if VERSION.fullmatch(v) and v.startswith(f"{line}.")]
    return f"{line}.{max(taken, default=-1) + 1}"
