"""What a run is bound to: written before its first step, held against what a later session brings.

A checkpoint says nothing about the data it was trained on, and transformers compares nothing but a few intervals.
A run that goes on with another corpus, model, recipe or machine gives what neither of the two would have given,
so that is refused unless someone gives a reason, which then stands in the training manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import manifests
from clinicorpus_errors import UserError
from manifests.corpus_manifest import Record
from manifests.training import Override
from train import checkpoints
from train.progress import say

NAME = "run.json"

Json = dict[str, Any]


class Run(Record):
    key: str
    """Of the training manifest that this run will end with."""
    bound_to: Json
    """Everything the weights follow from, machine included."""
    overrides: list[Override]


def begin(run: Path, key: str, bound_to: Json, *, override: str | None, force: bool) -> list[Override]:
    """Begin a run in folder `run`, or go on with the one that stands there. Returns its overrides so far.

    Raises UserError, changing nothing, if the unfinished run is bound to something else and no reason is given.
    """
    start = None if force else checkpoints.newest(run)
    overrides: list[Override] = []
    if start is None:
        if force and run.exists():
            say("beginning anew; an unfinished run is discarded")
        if force:
            checkpoints.discard(run)
    else:
        bound = _read(run)
        changed = list(differences(bound.bound_to, bound_to))
        at = f"step {start.record.step} of {start.record.planned}"
        if changed and override is None:
            raise UserError(
                "an unfinished run of this model is bound to something else",
                value="; ".join(changed),
                cause=f"it stands at {at}; going on would give what neither the old nor the new inputs give",
                next='undo the change; or begin anew: --force; or go on all the same: --override "the reason"',
            )
        overrides = list(bound.overrides)
        if changed:
            assert override is not None
            overrides.append(Override(rule="resume", reason=override, changed=changed, step=start.record.step))
            say(f"going on although changed: {'; '.join(changed)}")
        say(f"going on from {at}")
    if override is not None and not overrides:
        say("--override: nothing was there to override")
    run.mkdir(parents=True, exist_ok=True)
    record = Run(key=key, bound_to=bound_to, overrides=overrides)
    manifests.write_atomic(run / NAME, manifests.canonical(record.model_dump(mode="json")))
    return overrides


def tidy(run: Path, done: str | None) -> None:
    """Remove what a kill left between the moment the model of key `done` appeared and the end of its run."""
    try:
        leftover = _read(run).key == done
    except UserError:
        return
    if leftover:
        checkpoints.discard(run)


def _read(run: Path) -> Run:
    try:
        return Run.model_validate_json((run / NAME).read_bytes())
    except (OSError, ValidationError):
        raise UserError(
            "the record of the unfinished run is gone or damaged",
            value=NAME,
            cause="without it nobody knows what its checkpoints were trained on",
            next="begin anew: --force",
        ) from None


def once(path: Path, key: str, make: Callable[[], Json]) -> Json:
    """What `make` returned for the same `key` in an earlier session of the run, kept in `path`; else made now."""
    try:
        kept = json.loads(path.read_bytes())
        if kept["key"] == key:
            return dict(kept["value"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    value = make()
    manifests.write_atomic(path, manifests.canonical({"key": key, "value": value}))
    return value


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """What differs, leaf by leaf: `cpt.learning_rate: 0.01 → 0.002`. Digests are cut to eight digits."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
    elif old != new:
        yield f"{where}: {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = str(value)
    return text[:8] if re.fullmatch("[0-9a-f]{64}", text) else text
