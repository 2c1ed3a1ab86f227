"""The command `clinicorpus`: the only place that joins the rooms for a user.

Every import that costs time stands inside its command, so that `--help` answers at once (0.2 s).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from clinicorpus_errors import UserError

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Turns clinical notes into audited training corpora and adapts language models on them.",
)  # fmt: skip
corpus_app = typer.Typer(no_args_is_help=True, help="Build corpora from notes.")
deid_app = typer.Typer(no_args_is_help=True, help="Find and replace identifiers in a table of notes.")
dedupe_app = typer.Typer(no_args_is_help=True, help="Find notes that stand twice in a table of notes.")
train_app = typer.Typer(no_args_is_help=True, help="Adapt a language model on a sealed corpus.")
audit_app = typer.Typer(no_args_is_help=True, help="Check what was sealed against what stands on disk.")
synthetic_app = typer.Typer(no_args_is_help=True, help="The synthetic hospital.")
for name, group in (
    ("corpus", corpus_app), ("deid", deid_app), ("dedupe", dedupe_app), ("train", train_app), ("audit", audit_app),
    ("synthetic", synthetic_app),
):  # fmt: skip
    app.add_typer(group, name=name)

Root = Annotated[Path, typer.Option(help="Workspace folder: holds work/, corpora/, manifests/versions/ and models/.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override one key of the recipe: key=value. Repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")]
Patients = Annotated[
    Path | None,
    typer.Option(help="Patient table (CSV, Parquet or JSON lines with patient_id): looked for in the notes."),
]
HERE = Path(".")
JSON_LINES, PARQUET = (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


# --- corpus --------------------------------------------------------------------------------------------------


class _Bars:
    """Progress of a build: a bar for each step on a terminal, a line for each finished step elsewhere."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.console = _console()
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=self.console, disable=not self.console.is_terminal,
        )  # fmt: skip
        self._task: Any = None
        self._left = 0
        self._line = ""

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def start(self, label: str, total: int, *, fresh: int) -> None:
        self._task = self._bars.add_task(label, total=total, completed=total - fresh)
        self._left, self._line = fresh, f"{label}: {total} of {total}" + ("" if fresh else ", all there already")
        if not fresh:
            self._say()

    def advance(self) -> None:
        self._bars.advance(self._task)
        self._left -= 1
        if not self._left:
            self._say()

    def _say(self) -> None:
        if not self.console.is_terminal:
            self.console.print(self._line)


@corpus_app.command("build")
def corpus_build(recipe: Path, set: Set = None, root: Root = HERE, as_json: AsJson = False) -> None:
    """Build the corpus of RECIPE and seal its manifest. Unchanged steps are not run again."""
    from corpus.build import build, usage
    from corpus.recipe import load
    from corpus.zones import Workspace
    from manifests import load as load_manifest

    started = time.monotonic()
    checked, given = load(recipe, set or [])
    with _Bars() as bars:
        built = build(checked, given, Workspace(root), bars)
    manifest = load_manifest(built.manifest)
    used = usage(started)
    if as_json:
        _print_json(
            {
                "name": checked.name, "version": built.version, "state": built.state, "manifest": str(built.manifest),
                "corpus": str(built.corpus),
                "stages": [
                    s.model_dump(include={"name", "records_in", "records_out", "created", "dropped"})
                    for s in manifest.stages
                ],
                "files": [f.model_dump(include={"path", "sha256", "rows", "tokens"}) for f in manifest.files],
                "measured": [m.model_dump() for m in manifest.measured],
                "gate": manifest.gate and manifest.gate.model_dump(), **used,
            }
        )  # fmt: skip
        return
    _show_build(built, manifest, used, checked.engine)


def _show_build(built: Any, manifest: Any, used: dict[str, Any], engine: str) -> None:
    from rich.table import Table

    from manifests.rendering import check_line

    console = _console()
    table = Table(title=f"{manifest.corpus.name} {built.version}", title_justify="left", box=None, pad_edge=False)
    for title, justify in (
        ("stage", "left"),
        ("in", "right"),
        ("created", "right"),
        ("dropped", "right"),
        ("out", "right"),
        ("why", "left"),
    ):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for stage in manifest.stages:
        why = ", ".join(f"{reason} {count:,}" for reason, count in stage.dropped.items())
        counts = (stage.records_in, sum(stage.created.values()), sum(stage.dropped.values()), stage.records_out)
        table.add_row(stage.name, *(f"{count:,}" for count in counts), why)
    console.print(table)
    for entry in manifest.measured:
        if entry.what in ("selfcheck", "attack") and (line := check_line(entry.what, entry.figures)):
            console.print(f"{entry.what}: {line}", soft_wrap=True)
        if entry.what == "contamination" and (line := check_line(entry.what, entry.figures)):
            console.print(f"contamination, {entry.gold}: {line}", soft_wrap=True)
        if entry.what == "deid" and "overall" in entry.figures:
            one = entry.figures["overall"]
            if not one["gold"]:
                continue
            low, high = one["full_cover_recall_95"]
            notes = entry.figures["leaks"]["notes_with_direct_leak"]
            console.print(
                f"identifiers fully masked, {entry.gold} ({entry.origin} gold): {one['full_cover_recall']:.4f} "
                f"({low:.4f}–{high:.4f}); notes with a direct one left: {notes['leaking']:,} of {notes['notes']:,}",
                soft_wrap=True,
            )
    if manifest.gate:
        console.print(f"release gate: {manifest.gate.verdict}, {manifest.gate.status.split(':')[0]}")
        for reason in manifest.gate.reasons:
            console.print(f"  {reason}", soft_wrap=True)
    state = {
        "sealed": "sealed", "unchanged": "nothing changed; no stage was run",
        "same": "run again: the same bytes as this version", "restored": "missing or damaged files were put back",
    }[built.state]  # fmt: skip
    for notice in built.notices:
        console.print(f"note: {notice}")
    console.print(f"{state}: {os.path.relpath(built.manifest)}")
    console.print(
        f"corpus: {os.path.relpath(built.corpus)}   report: {os.path.relpath(built.manifest.with_name('report.html'))}"
    )
    console.print(
        f"{used['wall_seconds']} s, {used['cpu_seconds']} CPU-seconds on {used['cores']} cores, "
        f"largest process {used['largest_process_mb']:,} MB"
        + ("" if engine == "local" else "; what the nodes did is not in these figures")
    )


@corpus_app.command("plan")
def corpus_plan(recipe: Path, set: Set = None, root: Root = HERE, as_json: AsJson = False) -> None:
    """Say how many records, how much disk and how long, before anything runs."""
    from corpus.build import plan
    from corpus.recipe import load
    from corpus.zones import Workspace

    checked, _ = load(recipe, set or [])
    found = plan(checked, Workspace(root))
    if as_json:
        _print_json(found)
        return
    about = "about " if found["estimated"] else ""
    lines = (
        f"corpus      {found['name']}",
        f"records     {about}{found['records']:,}"
        + (f", {found['rejected']:,} cannot be read" if found["rejected"] else ""),
        f"characters  {about}{found['characters']:,}",
        f"stages      {', '.join(found['stages'])}",
        f"time        about {found['seconds']:,} s with {found['workers']} workers ({found['cpu_seconds']:,} CPU-seconds)",
        f"disk        about {found['disk_bytes'] / 1e6:,.0f} MB of {found['free_bytes'] / 1e6:,.0f} MB free"
        + ("" if found["fits"] else ": NOT ENOUGH"),
    )
    sys.stdout.write("\n".join(lines) + "\n")


@corpus_app.command("clean")
def corpus_clean(root: Root = HERE, as_json: AsJson = False) -> None:
    """Remove outputs in work/ that the last build of each corpus does not use."""
    from corpus.build import clean
    from corpus.zones import Workspace

    found = clean(Workspace(root))
    if as_json:
        _print_json(found)
    else:
        sys.stdout.write(f"removed {found['removed_bytes'] / 1e6:,.1f} MB, kept {found['kept_bytes'] / 1e6:,.1f} MB\n")


@corpus_app.command("schema")
def corpus_schema() -> None:
    """Print the JSON Schema of a corpus recipe, for editors."""
    from corpus.recipe import json_schema

    _print_json(json_schema())


# --- deid ----------------------------------------------------------------------------------------------------


class _Chunk(NamedTuple):
    label: str
    notes: pl.DataFrame
    params: Any
    patients: Path | None = None


def _detect_chunk(chunk: _Chunk) -> pl.DataFrame:
    from corpus.keys import NO_KEYS
    from corpus.runner import resources
    from deid.detect import detect_frame

    table = str(chunk.patients) if chunk.patients else None
    detector = resources("deid.detect", chunk.params.model_dump_json(context="worker"), NO_KEYS, table)
    return detect_frame(chunk.notes, detector)


def _detect(path: Path, workers: int | None, patients: Path | None = None) -> pl.DataFrame:
    import polars as pl

    from corpus.readers import read_table
    from deid.detect import DetectParams

    if patients:
        from deid.known.table import read_rows

        read_rows(patients)  # its mistakes are told before any work
    notes, rejected = read_table(path)
    _say_rejected(rejected)
    found = _detect_notes(notes, DetectParams(), workers, patients)
    return notes.with_columns(spans=pl.lit(None)) if found is None else found


def _detect_notes(
    notes: pl.DataFrame, params: Any, workers: int | None, patients: Path | None = None
) -> pl.DataFrame | None:
    """`notes` with their spans, in their order; None where there are no notes."""
    import polars as pl

    from corpus.engine import local_engine

    count = workers or len(os.sched_getaffinity(0))
    # All notes of a patient go to one chunk: a name found in one of them is looked for in all.
    unit = "patient_id" if "patient_id" in notes.columns else "note_id"
    places = notes.select(pl.col(unit).fill_null("").rank("dense") % max(1, min(4 * count, notes.height // 50)))
    numbered = notes.with_row_index("_row").with_columns(_chunk=places.to_series())
    chunks = [
        _Chunk(f"notes {i}", part.drop("_chunk"), params, patients)
        for i, part in enumerate(numbered.partition_by("_chunk", maintain_order=True))
    ]
    with _Bars() as bars, local_engine(min(count, len(chunks))) as engine:
        bars.start("find identifiers", len(chunks), fresh=len(chunks))
        found = engine.run_shards(_detect_chunk, chunks, bars.advance)
    return pl.concat(found).sort("_row").drop("_row") if found else None


def _say_rejected(rejected: dict[str, int]) -> None:
    if rejected:
        told = ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejected.items()))
        _console().print(f"rows left out: {told}")


def _check_out(out: Path, input: Path) -> None:
    """Refuse, before any work, an output that could not be written or that would replace the notes."""
    if not out.name.endswith((*JSON_LINES, *PARQUET)):
        raise UserError("format of --out not known by its name", value=out.name, cause="known: .jsonl, .parquet")
    if not out.parent.is_dir() or out.is_dir():
        raise UserError("the output cannot be written", value=out, cause="no such folder, or a folder of this name")
    if out.exists() and input.exists() and out.samefile(input):
        raise UserError("--out is the file of notes itself", value=out, next="name another --out")


def _write_table(frame: pl.DataFrame, out: Path) -> None:
    """Write JSON lines or Parquet, by the name of `out`; the name appears only when the file is whole."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        if out.name.endswith(JSON_LINES):
            frame.write_ndjson(partial)
        else:
            frame.write_parquet(partial)
        partial.replace(out)
    except Exception as error:
        from corpus.engine import is_disk_full

        if not is_disk_full(error) and not isinstance(error, OSError):
            raise
        why = "the disk is full" if is_disk_full(error) else getattr(error, "strerror", None)
        raise UserError("the output cannot be written", value=f"{out}: {why}", next="name another --out") from None
    finally:
        partial.unlink(missing_ok=True)


@deid_app.command("detect")
def deid_detect(
    input: Annotated[Path, typer.Argument(metavar="IN")], out: Annotated[Path, typer.Option()],
    patients: Patients = None, workers: Workers = None,
) -> None:  # fmt: skip
    """Find identifiers in a table of notes (JSON lines, CSV or Parquet with note_id and text); write spans, one line a note."""
    _check_out(out, input)
    _write_table(_detect(input, workers, patients).select("note_id", "spans"), out)


@deid_app.command("apply")
def deid_apply(
    input: Annotated[Path, typer.Argument(metavar="IN")], out: Annotated[Path, typer.Option()],
    policy: Annotated[str, typer.Option(help="safe_harbor_v1 or another policy of deid/policies/.")] = "safe_harbor_v1",
    key: Annotated[
        str | None, typer.Option(help="Release key for policies with surrogates or shifts; made at first use, outside the tree.")
    ] = None,
    patients: Patients = None, workers: Workers = None, root: Root = HERE,
) -> None:  # fmt: skip
    """Find identifiers and put in their place what POLICY says; write note_id, text and what was done."""
    from corpus.keys import NO_KEYS, purpose_keys, release_key
    from deid.apply import placeholders_frame, render_frame
    from deid.policy import load_policy

    checked = load_policy(policy)
    if checked.needs_keys and not key:
        raise UserError(
            "this policy draws surrogates or shifts dates, and needs a release key", value=checked.name,
            next="name one, for example --key ward; it is made in CLINICORPUS_KEYS at first use",
        )  # fmt: skip
    _check_out(out, input)
    keys = purpose_keys(release_key(key, root=root)[0], "release") if key else NO_KEYS
    found = _detect(input, workers, patients)
    done = render_frame(placeholders_frame(found, checked, surrogate=keys.surrogate, shift=keys.shift))
    _write_table(done.select("note_id", "text", "spans"), out)


@deid_app.command("evaluate")
def deid_evaluate(
    gold: Annotated[Path, typer.Argument(help="JSON lines or marked text, or a folder of such (docs: deid/gold.py).")],
    predictions: Annotated[
        Path | None, typer.Option(help="Spans to measure, as `deid detect` writes them; without it, detection runs here.")
    ] = None,
    ner: Annotated[str | None, typer.Option(help="Model of names to detect with, or none.")] = None,
    policy: Annotated[str, typer.Option(help="What it keeps in the text is no miss.")] = "safe_harbor_v1",
    origin: Annotated[
        str, typer.Option(help="Where the texts of the gold come from: synthetic, public or in-domain.")
    ] = "not stated",
    claim: Annotated[float, typer.Option(help="Recall that is to be shown.")] = 0.99,
    resamples: Annotated[int, typer.Option(min=0, help="How often patients are drawn again; 0: not.")] = 1000,
    seed: int = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for evaluation.json and misses.html, which holds note text.")
    ] = None,
    workers: Workers = None, root: Root = HERE, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Measure detection on GOLD: recall by class with intervals, leaks by note and patient, over-masking."""
    os.umask(0o077)
    from corpus.zones import Workspace
    from deid.evaluate import EVIDENCE, compare, figures
    from deid.gate import Evidence, GateParams, decide
    from deid.gold import load_gold, load_predictions
    from deid.policy import load_policy
    from deid.report import write

    if origin not in EVIDENCE:
        raise UserError("unknown --origin", value=origin, cause=f"known: {', '.join(EVIDENCE)}")
    if not 0 < claim < 1:
        raise UserError("--claim must lie between 0 and 1", value=claim, next="for example --claim 0.99")
    if predictions and ner:
        raise UserError(
            "--predictions and --ner do not go together", next="give the predictions, or what to detect with"
        )
    checked = load_policy(policy)
    kept = [name for name, action in checked.actions.items() if action == "keep"]
    params = _detect_params(ner)
    if out:
        workspace = Workspace(root)
        shared = [workspace.root / name for name in ("corpora", "manifests", "models")]
        if any(out.resolve().is_relative_to(folder) for folder in shared):
            raise UserError(
                "the page holds note text and cannot stand there", value=out, cause="what is there may be shared",
                next="name a folder in work/, or one of your own",
            )  # fmt: skip
        if out.exists() and not out.is_dir():
            raise UserError("--out is a file", value=out, next="name a folder")
    notes, spans = load_gold(gold)
    if not notes.height:
        raise UserError("the gold holds no note", value=gold)
    if predictions:
        predicted = load_predictions(predictions, set(notes["note_id"]))
        if missing := notes.height - predicted.height:
            _console().print(
                f"note: {missing:,} of {notes.height:,} gold notes have no prediction; they count as unmasked"
            )
    else:
        detected = _detect_notes(notes, params, workers)
        assert detected is not None
        predicted = detected.select("note_id", "spans")
    compared = compare(notes, spans, predicted, kept=kept)
    found = figures(compared, origin=origin, claim=claim, resamples=resamples, seed=seed)
    found["policy"] = checked.name
    gate = decide(
        [Evidence("gold", origin, found)], GateParams(), source="private", names_patients=True, kept=kept
    ).block  # fmt: skip
    written = write(out, compared, found, gate) if out else []
    if as_json:
        _print_json({**found, "gate": gate})
    else:
        _show_evaluation(found, gate)
        if not out:
            _console().print("--out FOLDER writes the misses in context")
    for path in written:
        _console().print(f"{path}" + (" (note text: PHI zone)" if path.suffix == ".html" else ""))


def _detect_params(ner: str | None) -> Any:
    from pydantic import ValidationError

    from deid.detect import DetectParams

    try:
        return DetectParams.model_validate({"ner": ner} if ner else {})
    except ValidationError as error:
        raise UserError("unknown --ner", value=ner, cause=error.errors()[0]["msg"]) from None


def _show_evaluation(found: dict[str, Any], gate: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from deid.report import claim, interval, leak_rows, number, other_rows

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    titles = ("identifier", "gold", "masked", "exact 95%", "any", "strict", "precis.")
    for title in (*titles, f"{found['overall']['claim']['claim']}?"):
        table.add_column(title, justify="left" if title == "identifier" else "right", no_wrap=True)
    for name, s in (("all", found["overall"]), *found["identifiers"].items()):
        table.add_row(
            name, f"{s['gold']:,}", number(s["full_cover_recall"]),
            interval(s["full_cover_recall_95"]) if s["gold"] else "–", number(s["any_cover_recall"]),
            number(s["strict_recall"]), number(s["precision"]), claim(s),
        )  # fmt: skip
    console.print(table)
    console.print(
        "masked: every letter and digit; any: at least one; +299: insufficient evidence, so many more are needed\n"
    )
    rows = Table(box=None, pad_edge=False, show_header=False)
    for side in ("left", "right", "left"):
        rows.add_column(justify=side)
    for what, count, share, upper in leak_rows(found):
        rows.add_row(what, share, f"{count}, at most {upper}")
    for row in other_rows(found):
        rows.add_row(*row)
    console.print(rows)
    for name, part in found["slices"].items():
        each = Table(box=None, pad_edge=False)
        for title in (name, "notes", "gold", "masked", "exact 95%", "leaking", "over-masked"):
            each.add_column(title, justify="left" if title == name else "right")
        for kind, k in part["each"].items():
            each.add_row(
                kind, f"{k['notes']:,}", f"{k['gold']:,}", number(k["full_cover_recall"]),
                interval(k["full_cover_recall_95"]) if k["gold"] else "–", f"{k['notes_leaking']:,}",
                number(k["over_masking"]),
            )  # fmt: skip
        console.print()
        console.print(each)
    console.print()
    console.print(f"release gate for real notes, default thresholds: {gate['verdict']}")
    for reason in gate["reasons"]:
        console.print(f"  {reason}", soft_wrap=True)
    console.print(f"origin of the gold: {found['origin']}; {found['evidence']}", soft_wrap=True)


@deid_app.command("train")
def deid_train(
    out: Annotated[Path, typer.Option(help="Folder for the model; an old one there is replaced.")] = Path("models/deid"),
    carrier: Annotated[
        Path | None, typer.Option(help="Notes of your own whose identifiers are placeholders, to train on as well.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each template is filled.")] = 20,
    patients: Annotated[int, typer.Option(min=1, help="Patients of the synthetic hospital to train on.")] = 120,
    seed: int = 1, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Train the model of names and places on generated text. One core, about three minutes a round; the seed fixes the weights."""
    os.umask(0o077 if carrier else 0o022)
    os.environ["OMP_NUM_THREADS"] = "1"
    from deid import calibrate, training
    from deid.language import frequent
    from synthetic.training import JUDGED, literal, texts, training_digest

    calibrate.need_library()
    try:  # now, and not after half an hour
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "the folder cannot be made", value=f"{out.parent}: {error.strerror}", next="name another --out"
        ) from None
    if not os.access(out.parent, os.W_OK):
        raise UserError("the folder cannot be written to", value=out.parent, next="name another --out")
    notes: list[str] = []
    if carrier:
        from corpus.readers import read_table

        table, rejected = read_table(carrier)
        _say_rejected(rejected)
        notes = table["text"].drop_nulls().to_list()
    hospital = _hospital_texts(1000 + seed, patients)
    vocabulary = _vocabulary()

    def stream() -> Iterator[list[tuple[str, list[tuple[int, int, str]]]]]:
        for number in range(rounds):
            filled = [(one.text, one.spans) for one in texts(seed, number, vocabulary, notes)]
            yield filled + hospital[number::rounds]

    started = time.monotonic()
    console = _console()

    def say(seen: int, loss: float) -> None:
        console.print(f"{seen:,} texts, loss {loss:.2f}, {time.monotonic() - started:.0f} s")

    model = training.train(stream(), rounds, known=frequent(literal()), seed=seed, say=say)
    command = f"clinicorpus deid train --seed {seed} --rounds {rounds} --patients {patients}" + (
        " --carrier …" if carrier else ""
    )
    card = {
        "name": out.name, "command": command, "labels": sorted(set(training.MODEL_LABEL.values())),
        "settings": {"seed": seed, "rounds": rounds, "patients": patients, "carriers": len(notes)} | training.SHAPE,
        "texts": {
            "templates and annotated notes": f"synthetic/training, sha256 {training_digest()[:16]}, filled from the word lists of deid/data",
            "synthetic hospital": f"{len(hospital):,} notes of seed {1000 + seed}",
        } | ({"carriers": f"{len(notes):,} notes of the user's own"} if notes else {}),
    }  # fmt: skip
    training.save(model, out, card, lambda folder: calibrate.calibrate(folder, [JUDGED]))
    if as_json:
        _print_json(json.loads((out / "card.json").read_text(encoding="utf-8")))
    else:
        console.print(f"{out}; use it: --ner {out}, or stages.deid.detect.ner in a recipe")


@deid_app.command("calibrate")
def deid_calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that `deid train` wrote; its judge is replaced.")],
    gold: Annotated[
        Path | None, typer.Option(help="Annotated notes of your own, as `deid evaluate` reads them; they are added to those of the project.")
    ] = None,
) -> None:  # fmt: skip
    """Grow anew the trees that say which of the model's finds to believe. One core, two minutes."""
    os.umask(0o077 if gold else 0o022)
    from deid import calibrate, training
    from synthetic.training import JUDGED

    calibrate.need_library()
    if not (model / "card.json").is_file():
        raise UserError("no model of `deid train`", value=model, next="clinicorpus deid train --out FOLDER")
    said = calibrate.calibrate(model, [JUDGED, *([gold] if gold else [])])
    training.write_card(model, json.loads((model / "card.json").read_text(encoding="utf-8")) | {"judge": said})
    _console().print(f"{model}: {said['trees']} trees, {said['finds']:,} finds in {said['texts']:,} texts")


def _vocabulary() -> Any:
    """The word lists of the de-identifier, as the training templates want them."""
    from deid import lexicon, phrases
    from synthetic.training import Vocabulary

    def names(listed: Sequence[tuple[str, int]]) -> Sequence[tuple[str, int]]:
        # "Son", "Man" and "Will" come in through the lists of words that are names, and only as often as they should.
        return [(name, weight) for name, weight in listed if not lexicon.is_safe(name)]

    given = {
        origin: {"M": names(lexicon.given_names("m", origin)), "F": names(lexicon.given_names("f", origin))}
        for origin in lexicon.origins("given")
    }
    surnames = {origin: names(lexicon.surnames(origin)) for origin in lexicon.origins("surnames")}
    kept = {o: both for o, both in given.items() if min(len(both["M"]), len(both["F"])) >= 10}
    clinical = lexicon.clinical_words()

    def words(listed: Sequence[tuple[str, int]]) -> list[str]:
        return [name for name, weight in listed if weight >= 5 and lexicon.flags(name) & lexicon.WORD]

    return Vocabulary(
        given=kept,
        surnames={origin: names for origin, names in surnames.items() if len(names) >= 10},
        cities=[(name, where) for name, where, _ in lexicon.cities()],
        counties=[f"{name} {kind}" for name, _, kind in lexicon.counties()] + [name for name, *_ in lexicon.counties()],
        nicknames=lexicon.nickname_table(),
        word_surnames=words(lexicon.surnames("us")), word_given=words(lexicon.given_names(None, "us")),
        eponym_surnames=phrases.lines("eponym_surnames"),
        drugs=[word for word, kind in clinical if kind == "drug"],
        terms=[word for word, kind in clinical if kind != "drug"],
        unmistakable=[word for word, _ in clinical if word.isalpha() and not lexicon.flags(word) & lexicon.WORD],
        eponyms=phrases.lines("eponyms"), facilities=phrases.lines("facilities"), employers=phrases.lines("employers"),
    )  # fmt: skip


def _hospital_texts(seed: int, patients: int) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Notes of a synthetic hospital with their gold, in an order that does not follow the patients."""
    import random
    import tempfile

    import polars as pl

    import synthetic

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        synthetic.build(folder, seed=seed, patients=patients)
        notes = pl.read_parquet(folder / "notes.parquet").select("note_id", "text")
        junk = set(pl.read_parquet(folder / "gold_junk.parquet")["note_id"])
        spans: dict[str, list[tuple[int, int, str]]] = {}
        for note, start, end, identifier, _ in pl.read_parquet(folder / "gold_spans.parquet").iter_rows():
            spans.setdefault(note, []).append((start, end, identifier))
    rows = [(t, sorted(spans.get(n, []))) for n, t in notes.iter_rows() if n not in junk and t and len(t) < 8000]
    random.Random(seed).shuffle(rows)
    return rows


@deid_app.command("selfcheck")
def deid_selfcheck(
    notes: Annotated[Path, typer.Argument(metavar="NOTES")],
    patients: Annotated[Path, typer.Option(help="Patient table: CSV, Parquet or JSON lines, long or wide.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for misses.jsonl and misses.html, which holds note text.")
    ] = None,
    origin: Annotated[
        str, typer.Option(help="Where the notes come from: in-domain (your own), public or synthetic.")
    ] = "in-domain",
    workers: Workers = None, root: Root = HERE, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Find identifiers without the patient table, then measure how many of the values it knows are masked."""
    from rich.console import Console
    from rich.table import Table

    from corpus.readers import read_table
    from corpus.zones import Workspace
    from deid.detect import DetectParams
    from deid.evaluate import EVIDENCE
    from deid.known.table import read_rows
    from deid.selfcheck import check_out, selfcheck, summary, write_misses

    if origin not in EVIDENCE:
        raise UserError("unknown --origin", value=origin, cause=f"known: {', '.join(EVIDENCE)}")
    if out:
        check_out(out, [Workspace(root).root / name for name in ("corpora", "manifests", "models")])
    known = read_rows(patients)
    table, rejected = read_table(notes)
    _say_rejected(rejected)
    if "patient_id" not in table.columns:
        raise UserError("the notes have no column patient_id", value=notes.name, next="name the patient of each note")
    if "source" in table.columns and table["source"].unique().to_list() == ["synthetic"]:
        origin = "synthetic"
    found = _detect_notes(table, DetectParams(), workers)
    if found is None:
        raise UserError("there are no notes to check", value=notes.name)
    figures, missed = selfcheck(found, known, origin=origin)
    written = write_misses(out, found, missed) if out else ()
    if as_json:
        _print_json(figures)
    else:
        rows = Table(box=None, pad_edge=False)
        for title in ("identifier", "places", "masked", "recall", "exact 95%", "notes leak", "patients", "0.99?"):
            rows.add_column(title, justify="left" if title == "identifier" else "right", no_wrap=True)
        for row in summary(figures):
            rows.add_row(*row)
        console = Console(highlight=False)
        console.print(rows)
        console.print("0.99?: whether a recall of 0.99 is shown; +120: insufficient evidence, so many more are needed")
        ambiguous = figures["ambiguous"]
        console.print(
            f"{figures['patients_scored']:,} patients and {figures['notes_scored']:,} of {figures['notes']:,} notes; "
            f"apart from these, {ambiguous['places']:,} places that may be ordinary words, {ambiguous['masked']:,} masked"
        )
        for name, leak in figures["leaks"].items():
            told = f"{leak['leaking']:,}, at most {leak['upper_95']:.2%} by the exact 95% bound"
            console.print(f"{name.replace('_', ' ')}: {told}")
        console.print(f"origin: {figures['origin']}; {figures['evidence']}", soft_wrap=True)
    for path in written:
        _console().print(f"{path} (PHI zone)")


@deid_app.command("attack")
def deid_attack(
    released: Annotated[Path, typer.Argument(help="Folder of a released corpus, or a table of notes.")],
    patients: Annotated[
        Path | None, typer.Option(help="Patient table, to score against. It stays in the PHI zone.")
    ] = None,
    originals: Annotated[Path | None, typer.Option(help="The notes before, to score against.")] = None,
    ids: Annotated[
        Path | None, typer.Option(help="ids.parquet of the build (work/<name>/ingest/*/): whose note each record is.")
    ] = None,
    text: Annotated[str, typer.Option(help="Column of text.")] = "text",
    patient: Annotated[str, typer.Option(help="Column of patients.")] = "patient",
    record: Annotated[str, typer.Option(help="Column of note ids.")] = "record",
    seed: int = 0, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Attack a released corpus: names among surrogates, dates that give the shift away, rare names, linking of notes."""
    from rich.console import Console
    from rich.table import Table

    from corpus.readers import read_table
    from deid.attack import attack, read_frame, read_released, summary, with_ids
    from deid.known.table import read_rows

    notes = read_released(released, text=text, patient=patient, record=record)
    if ids:
        notes = with_ids(notes, read_frame(ids, "table of ids"))
    known = read_rows(patients) if patients else None
    before = read_table(originals)[0].rename({"note_id": "record"}) if originals else None
    figures = attack(notes, known=known, originals=before, seed=seed)
    if as_json:
        _print_json(figures)
        return
    rows = Table(box=None, pad_edge=False)
    for title in ("attack", "figure", "value"):
        rows.add_column(title)
    for row in summary(figures):
        rows.add_row(*row)
    console = Console(highlight=False)
    console.print(rows)
    if not figures["scored_against"]:
        console.print("--patients and --originals tell which of these are right", soft_wrap=True)


# --- dedupe --------------------------------------------------------------------------------------------------


@dedupe_app.command("run")
def dedupe_run(
    input: Annotated[Path, typer.Argument(metavar="IN")],
    out: Annotated[Path, typer.Option(help="Folder for kept.parquet and ledger.parquet.")],
    threshold: Annotated[float, typer.Option(help="Jaccard similarity from which a note is dropped.")] = 0.8,
    link_threshold: Annotated[
        float | None, typer.Option(help="Similarity from which notes are of one cluster; by default 0.5, or the threshold.")
    ] = None,
    shingle: Annotated[int, typer.Option(help="Tokens in a shingle.")] = 5,
    bands: Annotated[int, typer.Option(help="MinHash bands: more find more.")] = 20,
    rows: Annotated[int, typer.Option(help="Values in a band: more find less.")] = 6,
    min_chars: Annotated[int, typer.Option(help="Notes with fewer letters and digits are no exact copies.")] = 1,
    numbers_apart: Annotated[
        bool, typer.Option("--numbers-apart", help="Notes whose numbers differ stay, however alike the rest.")
    ] = False,
    against: Annotated[
        list[Path] | None, typer.Option(help="Signatures of notes kept before: what repeats one goes. Repeatable.")
    ] = None,
    signatures: Annotated[
        Path | None, typer.Option(help="File for the signatures of what is kept, for --against. As private as the notes.")
    ] = None,
) -> None:  # fmt: skip
    """Find exact and near-duplicates in a table of notes (JSON lines, CSV or Parquet, or a folder of them), alone or against
    signatures of notes kept before.

    kept.parquet: note_id, cluster. ledger.parquet: note_id, reason, kept_id, similarity, cluster, past (the file of signatures
    that kept_id is of).
    """
    from pydantic import ValidationError

    from corpus.readers import read_table
    from dedupe.exact import ExactParams
    from dedupe.near import NearParams
    from dedupe.past import Store
    from dedupe.run import check, run

    loose = link_threshold if link_threshold is not None else min(0.5, threshold)
    try:
        exact = ExactParams.model_validate({"min_chars": min_chars, "numbers_apart": numbers_apart})
        near = NearParams.model_validate(
            {"threshold": threshold, "link_threshold": loose, "shingle": shingle, "bands": bands, "rows": rows,
             "numbers_apart": numbers_apart}
        )  # fmt: skip
    except ValidationError as error:
        wrong = error.errors()[0]
        name = "--" + str(wrong["loc"][0] if wrong["loc"] else "link_threshold").replace("_", "-")
        raise UserError(
            f"{name} cannot be this", value=wrong["input"] if wrong["loc"] else loose,
            cause=wrong["msg"].removeprefix("Value error, "),
        ) from None  # fmt: skip
    stores = [Store(str(path), (path,)) for path in dict.fromkeys(against or [])]
    check(stores, exact, near)
    if signatures and (not signatures.parent.is_dir() or signatures.is_dir()):
        raise UserError(
            "the output cannot be written", value=signatures, cause="no such folder, or a folder of this name"
        )
    if signatures and any(signatures.exists() and signatures.samefile(path) for path in [input, *(against or [])]):
        raise UserError("--signatures is a file that is read", value=signatures, next="name another file")
    notes, rejected = read_table(input)
    _say_rejected(rejected)
    try:
        out.mkdir(parents=True, exist_ok=True)
        # What stands there is of another run; kept.parquet comes back last.
        (out / "kept.parquet").unlink(missing_ok=True)
    except OSError as error:
        raise UserError("the folder cannot be made", value=f"{out}: {error.strerror}") from None
    kept, ledger = run(notes, exact, near, against=stores, save=signatures)
    _write_table(ledger, out / "ledger.parquet")
    _write_table(kept, out / "kept.parquet")
    of_past = ledger["past"].count()
    told = f", {of_past:,} of them for notes kept before" if stores else ""
    _console().print(f"{notes.height:,} notes: {kept.height:,} kept, {ledger.height:,} dropped{told} → {out}")


@dedupe_app.command("copy-forward")
def dedupe_copy_forward(
    input: Annotated[Path, typer.Argument(metavar="IN")], out: Annotated[Path, typer.Option()],
    min_words: Annotated[int, typer.Option(min=2, max=1000, help="Words that a passage must share.")] = 8,
) -> None:  # fmt: skip
    """Find passages that stand in an earlier note of the same patient; write passages.parquet and notes.parquet into OUT.

    passages: note_id, start, end, section, from_id, n_words. notes: note_id, n_words, copied, changed, new.
    """
    from corpus.readers import read_table
    from corpus.sections import headings
    from corpus.stages.dedupe_copy_forward import is_word
    from dedupe.copy_forward import CopyForwardParams, find

    notes, rejected = read_table(input)
    _say_rejected(rejected)
    if not notes["patient_id"].count():
        raise UserError("the notes name no patients", value=input, next="add a column patient_id")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("the folder cannot be made", value=f"{out}: {error.strerror}") from None
    passages, lines = find(notes, CopyForwardParams(min_words=min_words), headings, is_word)
    _write_table(passages.drop("exempt"), out / "passages.parquet")
    _write_table(lines.drop("exempt"), out / "notes.parquet")
    words, copied = int(lines["n_words"].sum()), int(lines["copied"].sum())
    _console().print(
        f"{lines.height:,} notes: {copied:,} of {words:,} words stand in an earlier note of the patient, "
        f"{lines.height - int(lines['new'].sum()):,} notes say nothing new → {out}"
    )


# --- synthetic -----------------------------------------------------------------------------------------------


@synthetic_app.command("build")
def synthetic_build(
    out: Annotated[Path, typer.Option(help="Folder to write; must be empty or absent.")],
    patients: Annotated[int, typer.Option(min=1)] = 320, seed: int = 7,
) -> None:  # fmt: skip
    """Write the synthetic hospital: notes, patient table, and gold for identifiers, copies and junk."""
    import synthetic

    if out.exists() and any(out.iterdir()):
        raise UserError("the folder is not empty", value=out, next="name a new one")
    out.mkdir(parents=True, exist_ok=True)
    synthetic.build(out, seed=seed, patients=patients)


# --- train ---------------------------------------------------------------------------------------------------


Force = Annotated[bool, typer.Option("--force", help="Train anew, even if nothing changed; drops an unfinished run.")]
Override = Annotated[
    str | None,
    typer.Option(
        metavar="REASON", help="Go on with an unfinished run although its inputs changed; the manifest says why."
    ),
]
_GOES_ON = "\n\nInterrupted, the same command goes on. SIGTERM or Ctrl-C saves and exits with 75."


@train_app.command("cpt", help="Continue pretraining on the notes of a sealed corpus." + _GOES_ON)
def train_cpt(
    recipe: Path, set: Set = None, root: Root = HERE, as_json: AsJson = False, force: Force = False,
    override: Override = None,
) -> None:  # fmt: skip
    import train

    _train(train.run_cpt, recipe, set, root, as_json, force=force, override=override)


@train_app.command("sft", help="Instruction-tune on the tasks of a sealed corpus, with NEFTune." + _GOES_ON)
def train_sft(
    recipe: Path, set: Set = None, root: Root = HERE, as_json: AsJson = False, force: Force = False,
    override: Override = None,
) -> None:  # fmt: skip
    import train

    _train(train.run_sft, recipe, set, root, as_json, force=force, override=override)


def _train(
    run: Callable[..., dict[str, Any]], recipe: Path, set: list[str] | None, root: Path, as_json: bool, **how: Any
) -> None:
    import train
    from corpus.recipe import override, read_yaml
    from train.processes import is_main

    given = override(read_yaml(recipe), set or [])
    summary = run(given, root.resolve(), given, **how)
    if not is_main():
        return
    if as_json:
        _print_json(summary)
    else:
        train.show(summary)


@train_app.command("plan")
def train_plan(
    recipe: Path,
    gpu: Annotated[str | None, typer.Option(help="Plan for GPUs of this kind instead of this machine.")] = None,
    gpus: Annotated[int, typer.Option(min=1, help="How many devices, over all machines.")] = 1,
    sharding: Annotated[str, typer.Option(help="none, zero2 or fsdp2: what is spread over the devices.")] = "none",
    set: Set = None,
    root: Root = HERE,
    as_json: AsJson = False,
) -> None:
    """Memory, steps and hours of a recipe before anything starts; exit code 1 if it does not fit."""
    import train
    from corpus.recipe import override, read_yaml

    data = override(read_yaml(recipe), set or [])
    figures = train.plan(data, root.resolve(), gpu=gpu, processes=gpus, sharding=sharding)
    if as_json:
        _print_json(figures)
    else:
        train.show_plan(figures)
    for stage in figures["stages"].values():
        if stage["refusal"]:
            raise UserError(**stage["refusal"])


@train_app.command("generate")
def train_generate(
    model: Path,
    prompt: Annotated[str | None, typer.Option(help="One prompt; without it, talk until end of input.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 200,
    root: Root = HERE,
) -> None:
    """Talk to a trained model."""
    import train

    answer = train.generate(model, prompt, root=root.resolve(), max_new_tokens=max_new_tokens)
    if answer is not None:
        sys.stdout.write(answer + "\n")


@train_app.command("merge")
def train_merge(
    model: Annotated[Path, typer.Argument(help="Folder of an adapter: models/<name>/cpt or sft.")],
    out: Annotated[Path, typer.Option(help="New folder for the merged model.")],
    base: Annotated[
        Path | None, typer.Option(help="Folder of the base model, if it stands outside the workspace.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Write an adapter and its base as one model."""
    import train

    _print_json(train.merge(model, out, root=root.resolve(), base=base))


@train_app.command("schema")
def train_schema() -> None:
    """Print the JSON Schema of a training recipe, for editors."""
    import train

    _print_json(train.TrainRecipe.model_json_schema())


# --- audit ---------------------------------------------------------------------------------------------------


@audit_app.command("corpus")
def audit_corpus(
    manifest: Annotated[list[Path] | None, typer.Argument(metavar="[MANIFEST]...")] = None, root: Root = HERE,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Verify sealed manifests (all of them by default): digests, closing sums, schema, chain. Exit 1 on any miss."""
    from rich.table import Table

    from manifests import sealed, strays, verify
    from manifests.verify import gate_status

    results = [(path, verify(path, root)) for path in manifest or sealed(root)]
    results += [] if manifest else [(path, [problem]) for path, problem in strays(root)]
    if not results:
        raise UserError("nothing to audit", value=root, cause="no sealed corpus in this workspace", next="make corpus")
    if as_json:
        _print_json([{"manifest": str(p), "problems": found, "gate": gate_status(p)} for p, found in results])
    else:
        table = Table(box=None, pad_edge=False)
        for title in ("corpus", "version", "result", "gate", "problem"):
            table.add_column(title, overflow="fold")
        short = {
            None: "–", "may be released": "passed", "may be released by override": "overridden",
            "not released: gate failed": "failed", "not released: insufficient evidence": "insufficient",
        }  # fmt: skip
        for path, problems in results:
            for i, problem in enumerate(problems or [""]):
                first: tuple[str, ...] = ("", "", "", "")
                if not i:
                    state = "FAILED" if problems else "verified"
                    first = (*path.absolute().parts[-3:-1], state, short[gate_status(path)])
                table.add_row(*first, problem)
        from rich.console import Console

        Console(highlight=False).print(table)
    if any(problems for _, problems in results):
        raise typer.Exit(1)


# --- entry ---------------------------------------------------------------------------------------------------


def _explain(error: UserError) -> str:
    lines = [f"error: {error.what}" + (f": {error.value}" if error.value is not None else "")]
    if error.cause:
        lines.append(error.cause if error.cause.startswith("  ") else f"cause: {error.cause}")
    if error.next:
        lines.append(f"next:  {error.next}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the command; turn errors written for the user into text and an exit code."""
    try:
        app()
    except UserError as error:
        sys.stderr.write(_explain(error))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was finished is kept, run the same command to go on\n")
        raise SystemExit(130) from None
    except Exception as error:
        if os.environ.get("CLINICORPUS_TRACEBACK"):
            raise
        # An unforeseen exception may carry text of a note in its message: only its type and place are shown.
        from corpus.engine import failure_of

        failure = failure_of(error)
        sys.stderr.write(
            f"error: an unforeseen {failure.kind} at {failure.where}; its message is withheld, it may hold note text\n"
            "cause: a defect of clinicorpus\nnext:  report this line; on test data, CLINICORPUS_TRACEBACK=1 shows all\n"
        )
        raise SystemExit(70) from None


if __name__ == "__main__":
    main()
