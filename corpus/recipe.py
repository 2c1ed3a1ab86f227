"""What to build, as one checked document.

A recipe is YAML. It is checked whole before any work: every mistake at once, each with its key, its value and what
is allowed. `--set key=value` overrides one key; the JSON Schema for editors is recipes/schema/corpus.json.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from clinicorpus_errors import UserError
from corpus.stage import StageParams
from corpus.stages import STAGES
from corpus.tokens import DEFAULT
from corpus.zones import RESERVED
from deid.gate import GateParams

Earlier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}@\d+\.\d+\.\d+$")]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Source(Section):
    kind: Literal["synthetic", "jsonl", "csv", "parquet"]
    """`synthetic`: the embedded hospital; else the format of `path` (jsonl and csv also gzipped)."""
    path: Path | None = None
    """File of notes, or a folder of such files. Relative to where the command runs."""
    fields: dict[str, str] = {}
    """Our column: theirs, where names differ, e.g. {text: NOTE_TEXT}."""
    patient_table: Path | None = None
    """What is known of the patients (CSV, Parquet or JSON lines with patient_id): looked for in their notes. `hospital`: the
    table of the synthetic hospital. Left out, detection runs blind and its recall is measured as such."""
    patients: int = Field(default=320, ge=1, le=200_000)
    """How many patients the synthetic hospital has."""
    seed: int = 7
    """Seed of the synthetic hospital."""
    restore_sections: bool = False
    """Dictated reports in which every line break became a comma: put the breaks back."""
    public: bool = False
    """True only for text that was already published: allows `crosswalk_seed`."""
    holder: str | None = None
    """Who holds the notes; for the manifest."""
    legal_basis: str | None = None
    """Approval or legal basis; for the manifest."""
    agreement: str | None = None
    """Data use agreement or IRB number; for the manifest."""
    purpose: str | None = None
    """What the corpus is for; for the manifest."""

    @model_validator(mode="after")
    def _path_fits_kind(self) -> Source:
        if self.kind == "synthetic" and self.path:
            raise ValueError("path goes with jsonl, csv or parquet; the synthetic hospital has none")
        if self.kind != "synthetic" and not self.path:
            raise ValueError("path is missing: name the file of notes (make corpus RECIPE=… NOTES=<file>)")
        if self.kind == "synthetic" and self.patient_table not in (None, Path("hospital")):
            raise ValueError("patient_table of the synthetic hospital is `hospital` or left out")
        return self


class Gold(Section):
    name: str
    """What the manifest calls it."""
    path: Path
    """JSON lines (id, text, spans [[start, end, label], …]) or marked text (.txt); or a folder of such files."""
    origin: Literal["synthetic", "public", "in-domain"]
    """Where its texts come from: figures on synthetic gold prove nothing about a real corpus."""
    optional: bool = False
    """Say "not measured" where the file is absent, instead of stopping."""


class EvaluationSet(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,60}$")
    """What the manifest calls it."""
    path: Path
    """JSON lines, CSV or Parquet, also gzipped; `id` or `note_id` names the items."""
    kind: Literal["multiple_choice", "questions", "summaries", "notes"]
    """Which fields an item has: question and options; question, and context and answer where they are there; source and
    summary; text."""
    fields: dict[str, str] = {}
    """Our field: theirs, where names differ, e.g. {source: findings, summary: impression}."""
    only: dict[str, tuple[str, ...]] = {}
    """Items to take, by a field's values, e.g. {split: [test1, test2]}; by default all."""
    origin: Literal["synthetic", "public", "in-domain"] = "public"
    """Where its texts come from."""
    optional: bool = False
    """Say "not measured" where the file is absent, instead of stopping."""


class Measure(Section):
    """What a build measures of itself beside the gold; on samples, so that it takes some per cent of the time."""

    selfcheck: bool = True
    """Recall of a detection without the patient table, against the table. Needs `source.patient_table`, or the hospital."""
    attack: bool = True
    """The red team of `clinicorpus deid attack` on what is released."""


class Release(Section):
    rows_per_file: int = Field(default=50_000, ge=1)
    """Rows in a released Parquet file, about."""
    tokenizer: str = "smollm2"
    """What counts tokens: `smollm2`, or a tokenizer.json, or a folder that holds one."""


class Cluster(Section):
    address: str | None = None
    """`ray`: address of the head; by default that of the cluster on this machine. RAY_ADDRESS goes before both."""
    partition: str | None = None
    """`slurm`: partition of the tasks; by default the cluster's own."""
    memory_gb: int = Field(default=4, ge=1)
    """Memory that is asked for each shard in work, in GB; one core goes with it."""
    hours: int = Field(default=24, ge=1)
    """A shard that takes longer is ended and tried again."""
    setup: str | None = None
    """`slurm`: shell lines before each task, e.g. module load python/3.11."""
    sbatch: dict[str, str] = {}
    """`slurm`: further options of sbatch, e.g. {account: research}."""


def _stages_model() -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, stage in STAGES.items():
        fields[name.replace(".", "_")] = (stage.Params, Field(default_factory=stage.Params, alias=name))
    return create_model("Stages", __config__=ConfigDict(frozen=True, extra="forbid", populate_by_name=False), **fields)


Stages = _stages_model()


class Recipe(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Name of the corpus: small letters, digits, - and _."""
    version: str = Field(default="0.1", pattern=r"^\d+\.\d+$")
    """MAJOR.MINOR; the patch number counts the sealed builds."""
    source: Source
    key: str | None = None
    """Name of the release key in CLINICORPUS_KEYS; by default the name of the corpus. The demo key is `demo`."""
    crosswalk_seed: int | None = None
    """Seeded nonces, so that two people get the same bytes: synthetic or public sources only."""
    shards: int = Field(default=8, ge=1, le=4096)
    """Unit of parallel work and of retry; does not change the result."""
    workers: int | None = Field(default=None, ge=1, le=1024)
    """Shards in work at once; by default one for each core, on a cluster all of them. Does not change the result."""
    engine: Literal["local", "ray", "slurm"] = "local"
    """Where shards run: in processes here, on a Ray cluster, as array jobs of Slurm. Does not change the result."""
    cluster: Cluster = Cluster()
    """What `engine: ray` and `engine: slurm` ask for. Not part of manifests: it names machines and accounts."""
    stages: Stages = Field(default_factory=Stages)  # type: ignore[valid-type]
    """Parameters of each stage; what is not named keeps its default."""
    numbers_apart: bool = False
    """Notes whose numbers differ (vitals, laboratory values, doses), or their order, are never duplicates, exact or near,
    however alike the rest."""
    against: tuple[Earlier, ...] = ()
    """Sealed versions of this workspace, NAME@VERSION, under the same key: what repeats or nearly repeats a note of theirs is
    dropped, and what they held out stays held out. Their notes are not read again."""
    gold: tuple[Gold, ...] = ()
    """Gold sets on which de-identification is measured in this build."""
    evaluation: tuple[EvaluationSet, ...] = ()
    """Evaluation sets that no released record may hold an item of; what becomes of one that does: `stages.contamination`."""
    measure: Measure = Measure()
    """What else is measured in this build."""
    gate: GateParams = GateParams()
    """What the measurements must show before the corpus may be released."""
    release: Release = Release()

    @model_validator(mode="before")
    @classmethod
    def _numbers_everywhere(cls, given: Any) -> Any:
        """`numbers_apart` stands for the parameter of that name of both stages, so that they say what they did."""
        if not isinstance(given, dict) or "numbers_apart" not in given or not isinstance(given.get("stages", {}), dict):
            return given
        stages = dict(given.get("stages", {}))
        for name in ("dedupe.exact", "dedupe.near"):
            if isinstance(stages.get(name, {}), dict):
                stages[name] = {"numbers_apart": given["numbers_apart"], **stages.get(name, {})}
        return {**given, "stages": stages}

    @model_validator(mode="after")
    def _keys_fit_source(self) -> Recipe:
        synthetic = self.source.kind == "synthetic"
        if self.crosswalk_seed is not None and not (synthetic or self.source.public):
            raise ValueError("crosswalk_seed is for synthetic or public sources: nonces of patients must be random")
        if self.name in RESERVED:
            raise ValueError(f"name: work/{self.name} is taken; any name but {', '.join(RESERVED)}")
        names = [one.name for one in self.evaluation]
        if again := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"evaluation: two sets have the name {', '.join(again)}")
        if twice := sorted({one for one in self.against if self.against.count(one) > 1}):
            raise ValueError(f"against: {', '.join(twice)} is named twice")
        if self.key == "demo" and not synthetic:
            raise ValueError("the demo key is known to everybody and refused for any source but the synthetic hospital")
        return self

    def params(self) -> dict[str, StageParams]:
        """Parameters by stage name."""
        return {name: getattr(self.stages, name.replace(".", "_")) for name in STAGES}

    def worker_count(self) -> int:
        """Shards in work at once."""
        return self.workers or (len(os.sched_getaffinity(0)) if self.engine == "local" else self.shards)

    def resolved(self) -> dict[str, Any]:
        """Everything with defaults, paths withheld: file names can hold a record number."""
        return withhold(self.model_dump(mode="json", by_alias=True, exclude={"cluster"}))


_NAMED = ("hospital", Path("hospital"))  # a patient_table that is no path of the user's


def withhold(value: Any) -> Any:
    """A copy in which every value that is a path reads "(withheld)": of a key `path`, or a `tokenizer` or `patient_table` of
    one's own."""
    if isinstance(value, dict):
        return {
            k: "(withheld)"
            if k in ("path", "tokenizer", "patient_table") and v not in (None, DEFAULT, *_NAMED)
            else withhold(v)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [withhold(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def read_yaml(path: Path) -> dict[str, Any]:
    """Parse a YAML file that must hold a mapping. Raises UserError with the line of a mistake."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = sorted(str(p) for p in Path("recipes").glob("*.yaml")) if Path("recipes").is_dir() else []
        raise UserError(
            "no such recipe", value=path, next=f"one of: {', '.join(there)}" if there else "check the path"
        ) from None
    except IsADirectoryError:
        raise UserError("the recipe is a folder", value=path, next="name a YAML file") from None
    except UnicodeDecodeError:
        raise UserError("the recipe is not UTF-8 text", value=path) from None
    except OSError as error:
        raise UserError("the recipe cannot be read", value=f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise UserError("the recipe is not YAML", value=where, cause=getattr(error, "problem", None)) from None
    if not isinstance(data, dict):
        raise UserError("the recipe holds no keys", value=path, cause="a recipe is a YAML mapping")
    return data


def override(data: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Apply `key.key=value` assignments; values are YAML. Names of stages may hold a dot."""
    data = dict(data)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise UserError(
                "--set wants key=value", value=assignment, next="for example --set stages.filters.min_words=20"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        parts = _split_key(key)
        here = data
        for part in parts[:-1]:
            below = here.get(part)
            here[part] = dict(below) if isinstance(below, dict) else {}
            here = here[part]
        here[parts[-1]] = value
    return _plain(data)


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """The same in the types of JSON, which is what a manifest can hold: YAML also has dates, sets and cycles."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(data, default=str))
    except (TypeError, ValueError, RecursionError):
        raise UserError(
            "the recipe is no plain document", cause="an alias that holds itself, or a key that is no text"
        ) from None
    return plain


def _split_key(key: str) -> list[str]:
    if key.startswith("stages."):
        rest = key.removeprefix("stages.")
        for name in STAGES:
            if rest == name:
                return ["stages", name]
            if rest.startswith(f"{name}."):
                return ["stages", name, *rest.removeprefix(f"{name}.").split(".")]
    return key.split(".")


def explain(error: ValidationError, model: type[BaseModel], what: str) -> UserError:
    """All mistakes of a document in one error: key, value, what is allowed."""
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "(whole)"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            known = _known_keys(model, item["loc"][:-1])
            close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
            message = (
                f"unknown key; {'did you mean ' + close[0] + '? ' if close else ''}allowed: {', '.join(sorted(known))}"
            )
            lines.append(f"{key}: {message}")
        elif item["type"] == "missing":
            lines.append(f"{key}: is missing")
        elif isinstance(item["input"], dict):
            lines.append(f"{key}: {message}")
        else:
            lines.append(f"{key}: {item['input']!r}: {message}")
    many = f"{len(lines)} mistakes" if len(lines) > 1 else "a mistake"
    return UserError(f"{what} has {many}", cause="\n".join(f"  - {line}" for line in lines), next="correct the recipe")


def _known_keys(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    here: Any = model
    for part in loc:
        fields = {(f.alias or n): f for n, f in here.model_fields.items()} if hasattr(here, "model_fields") else {}
        annotation = fields[str(part)].annotation if str(part) in fields else None
        inner = [a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")]
        here = inner[0] if inner else annotation if annotation is not None else here
    return [f.alias or name for name, f in here.model_fields.items()] if hasattr(here, "model_fields") else []


def load(path: Path, assignments: Sequence[str] = ()) -> tuple[Recipe, dict[str, Any]]:
    """Read, override and check a recipe. Returns it with what was given. Raises UserError with every mistake."""
    given = override(read_yaml(path), assignments)
    try:
        recipe = Recipe.model_validate(given)
    except ValidationError as error:
        raise explain(error, Recipe, f"recipe {path.name}") from None
    return recipe, withhold({key: value for key, value in given.items() if key != "cluster"})


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe, for editors."""
    return Recipe.model_json_schema(by_alias=True)
