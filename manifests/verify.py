"""Does what stands on disk match what was sealed? One list of problems for each manifest, empty if it does."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import ValidationError

from clinicorpus_errors import UserError
from manifests.canonical import canonical, sha256_file
from manifests.corpus_manifest import SCHEMA, CorpusManifest
from manifests.versions import corpus_folder, sealed, version_folder


def load(path: Path) -> CorpusManifest:
    """Read and check a manifest against its schema. Raises UserError naming the file and each wrong field."""
    try:
        data = json.loads(path.read_bytes())
        if data.get("schema") != SCHEMA:
            raise UserError("manifest of an unknown schema", value=data.get("schema"), cause=f"expected {SCHEMA}")
        return CorpusManifest.model_validate(data)
    except FileNotFoundError:
        raise UserError("no such manifest", value=path, next="clinicorpus audit corpus") from None
    except OSError as error:
        raise UserError("the manifest cannot be read", value=f"{path}: {error.strerror}") from None
    except (ValueError, AttributeError, RecursionError) as error:
        wrong = (
            "; ".join(".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()[:5])
            if isinstance(error, ValidationError)
            else "not JSON"
        )
        raise UserError("manifest does not fit its schema", value=f"{path.name}: {wrong}") from None


def gate_status(path: Path) -> str | None:
    """What the release gate said of a sealed version; None if it cannot be read or was sealed before there was one."""
    try:
        gate = load(path).gate
    except UserError:
        return None
    return gate.status if gate else None


def sums(manifest: CorpusManifest) -> list[str]:
    """Closing sums: within each stage, from stage to stage, and from the last stage to the files."""
    problems = []
    previous = None
    if not manifest.stages:
        problems.append("names no stage")
    for stage in manifest.stages:
        if stage.records_in + sum(stage.created.values()) != stage.records_out + sum(stage.dropped.values()):
            problems.append(f"{stage.name}: records do not add up")
        if stage.chars_in + sum(stage.inserted.values()) != stage.chars_out + sum(stage.removed.values()):
            problems.append(f"{stage.name}: characters do not add up")
        if previous and (previous.records_out, previous.chars_out) != (stage.records_in, stage.chars_in):
            problems.append(f"{stage.name}: takes in other than {previous.name} gave out")
        previous = stage
    named = sum(sum(one.dropped.values()) for one in manifest.against)
    gone = sum(n for s in manifest.stages for reason, n in s.dropped.items() if reason.startswith("dedupe.past_"))
    if named != gone:
        problems.append(f"{gone} records went for earlier versions, which have {named} of them")
    released = sum(file.rows or 0 for file in manifest.files)
    if previous and released != previous.records_out:
        problems.append(f"files hold {released} rows, the last stage gave out {previous.records_out} records")
    return problems


def _files(manifest: CorpusManifest, path: Path, root: Path) -> list[str]:
    problems = []
    folder = corpus_folder(root, manifest.corpus.name, manifest.corpus.version)
    bases = {"corpus": folder, "manifest": path.parent}
    for file in manifest.files:
        target = bases[file.zone] / file.path
        if not target.is_file():
            problems.append(f"{file.path}: missing")
        elif target.resolve() != bases[file.zone].resolve() / file.path:
            problems.append(f"{file.path}: a link, or outside of the version's folder")
        elif target.stat().st_size != file.bytes or sha256_file(target) != file.sha256:
            problems.append(f"{file.path}: changed since it was sealed")
        elif target.suffix == ".parquet" and pq.read_metadata(target).num_rows != file.rows:
            problems.append(f"{file.path}: holds other than {file.rows} rows")
    named = {file.path for file in manifest.files if file.zone == "corpus"}
    present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()}
    problems += [f"{extra}: not in the manifest" for extra in sorted(present - named)]
    return problems


def _chain(manifest: CorpusManifest, path: Path, root: Path) -> list[str]:
    chain = sealed(root, manifest.corpus.name)
    if path.resolve() not in [p.resolve() for p in chain]:
        return []  # a manifest handed over alone: there is nothing to compare with
    position = [p.resolve() for p in chain].index(path.resolve())
    before, previous = chain[:position], manifest.corpus.previous
    if not previous:
        return [f"names no predecessor, but {before[-1].parent.name} stands before it"] if before else []
    named = path.parent.parent / previous.version / "manifest.json"
    if not named.is_file():
        return [f"predecessor {previous.version} is missing"]
    if sha256_file(named) != previous.sha256:
        return [f"predecessor {previous.version} was changed after this one was sealed"]
    return []


def _against(manifest: CorpusManifest, root: Path) -> list[str]:
    """Versions this one was compared with that are here, but other than they were."""
    named = [
        (f"{one.name} {one.version}", version_folder(root, one.name, one.version), one) for one in manifest.against
    ]
    return [
        f"{told}, which it was deduplicated against, was changed since"
        for told, folder, one in named
        if (path := folder / "manifest.json").is_file() and sha256_file(path) != one.sha256
    ]


def _is_canonical(data: bytes) -> bool:
    try:
        return canonical(json.loads(data)) == data
    except ValueError:  # NaN or a lone surrogate, which JSON reads and canonical JSON refuses
        return False


def strays(root: Path) -> list[tuple[Path, str]]:
    """What stands where sealed versions stand and is none: (where its manifest would be, what is wrong)."""
    known = set(sealed(root))
    found = {}
    for zone, problem in (
        ("corpora", "released files without a sealed manifest"),
        ("manifests/versions", "no manifest of a version in this folder"),
    ):
        for folder in sorted(p for p in (root / zone).glob("*/*") if p.is_dir() and not p.name.startswith(".partial-")):
            manifest = version_folder(root, folder.parent.name, folder.name) / "manifest.json"
            if manifest not in known:
                found[manifest] = problem
    return sorted(found.items())


def verify(path: Path, root: Path) -> list[str]:
    """Check one sealed manifest: schema, canonical bytes, place, closing sums, chain, digests of every file.

    `root` is the workspace that holds manifests/ and corpora/. Returns the problems, empty when all holds.
    """
    path = path.absolute()  # its folders must have names, also for `cd` into them
    try:
        manifest = load(path)
    except UserError as error:
        return [str(error)]
    problems = []
    if not _is_canonical(path.read_bytes()):
        problems.append("manifest.json is not in canonical form")
    if (path.parent.parent.name, path.parent.name) != (manifest.corpus.name, manifest.corpus.version):
        problems.append(f"stands in the folder of another version than its own {manifest.corpus.version}")
    known = _chain(manifest, path, root) + _against(manifest, root)
    return problems + sums(manifest) + known + _files(manifest, path, root)
