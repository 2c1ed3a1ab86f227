"""The command `clinicorpus`: the only place that joins the rooms for a user.

Every import that costs time stands inside its command, so that `--help` answers at once (0.2 s).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
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
                "measured": [m.model_dump() for m in manifest.measured], **used,
            }
        )  # fmt: skip
        return
    _show_build(built, manifest, used)


def _show_build(built: Any, manifest: Any, used: dict[str, Any]) -> None:
    from rich.table import Table

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
        if entry.what == "deid" and "overall" in entry.figures:
            recall = entry.figures["overall"]["full_cover_recall"]
            console.print(f"identifiers fully masked, {entry.gold} ({entry.origin} gold): {recall:.4f}")
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


def _detect_chunk(chunk: _Chunk) -> pl.DataFrame:
    from corpus.keys import NO_KEYS
    from corpus.runner import resources
    from deid.detect import detect_frame

    detector = resources("deid.detect", chunk.params.model_dump_json(), NO_KEYS)
    return detect_frame(chunk.notes, detector)


def _detect(path: Path, workers: int | None) -> pl.DataFrame:
    import polars as pl

    from corpus.engine import local_engine
    from corpus.readers import read_table
    from deid.detect import DetectParams

    notes, rejected = read_table(path)
    _say_rejected(rejected)
    count = workers or len(os.sched_getaffinity(0))
    # All notes of a patient go to one chunk: a name found in one of them is looked for in all.
    unit = "patient_id" if "patient_id" in notes.columns else "note_id"
    places = notes.select(pl.col(unit).fill_null("").rank("dense") % max(1, min(4 * count, notes.height // 50)))
    numbered = notes.with_row_index("_row").with_columns(_chunk=places.to_series())
    chunks = [
        _Chunk(f"notes {i}", part.drop("_chunk"), DetectParams())
        for i, part in enumerate(numbered.partition_by("_chunk", maintain_order=True))
    ]
    with _Bars() as bars, local_engine(min(count, len(chunks))) as engine:
        bars.start("find identifiers", len(chunks), fresh=len(chunks))
        found = engine.run_shards(_detect_chunk, chunks, bars.advance)
    return pl.concat(found).sort("_row").drop("_row") if found else notes.with_columns(spans=pl.lit(None))


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
    input: Annotated[Path, typer.Argument(metavar="IN")], out: Annotated[Path, typer.Option()], workers: Workers = None
) -> None:
    """Find identifiers in a table of notes (JSON lines, CSV or Parquet with note_id and text); write spans, one line a note."""
    _check_out(out, input)
    _write_table(_detect(input, workers).select("note_id", "spans"), out)


@deid_app.command("apply")
def deid_apply(
    input: Annotated[Path, typer.Argument(metavar="IN")], out: Annotated[Path, typer.Option()],
    policy: Annotated[str, typer.Option(help="safe_harbor_v1 or another policy of deid/policies/.")] = "safe_harbor_v1",
    workers: Workers = None,
) -> None:  # fmt: skip
    """Find identifiers and put in their place what POLICY says; write note_id, text and what was done."""
    from deid.apply import placeholders_frame, render_frame
    from deid.policy import load_policy

    checked = load_policy(policy)
    _check_out(out, input)
    done = render_frame(placeholders_frame(_detect(input, workers), checked))
    _write_table(done.select("note_id", "text", "spans"), out)


# --- dedupe --------------------------------------------------------------------------------------------------


@dedupe_app.command("run")
def dedupe_run(
    input: Annotated[Path, typer.Argument(metavar="IN")], out: Annotated[Path, typer.Option()],
    threshold: Annotated[float, typer.Option(help="Jaccard similarity from which a note is dropped.")] = 0.8,
) -> None:  # fmt: skip
    """Find exact and near-duplicates in a table of notes; write kept.parquet and ledger.parquet into OUT."""
    from corpus.readers import read_table
    from dedupe.exact import ExactParams
    from dedupe.near import NearParams
    from dedupe.run import run

    if not 0 < threshold <= 1:
        raise UserError("--threshold must lie above 0 and not above 1", value=threshold)
    notes, rejected = read_table(input)
    _say_rejected(rejected)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("the folder cannot be made", value=f"{out}: {error.strerror}") from None
    kept, ledger = run(notes, ExactParams(), NearParams(threshold=threshold, link_threshold=min(0.5, threshold)))
    _write_table(ledger, out / "ledger.parquet")
    _write_table(kept.select("note_id"), out / "kept.parquet")
    _console().print(f"{notes.height:,} notes: {kept.height:,} kept, {ledger.height:,} dropped → {out}")


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


Force = Annotated[bool, typer.Option("--force", help="Train again even if nothing changed.")]


@train_app.command("cpt")
def train_cpt(recipe: Path, set: Set = None, root: Root = HERE, as_json: AsJson = False, force: Force = False) -> None:
    """Continue pretraining on the notes of a sealed corpus."""
    import train

    _train(train.run_cpt, recipe, set, root, as_json, force)


@train_app.command("sft")
def train_sft(recipe: Path, set: Set = None, root: Root = HERE, as_json: AsJson = False, force: Force = False) -> None:
    """Instruction-tune on the tasks of a sealed corpus, with NEFTune."""
    import train

    _train(train.run_sft, recipe, set, root, as_json, force)


def _train(
    run: Callable[..., dict[str, Any]], recipe: Path, set: list[str] | None, root: Path, as_json: bool, force: bool
) -> None:
    import train
    from corpus.recipe import override, read_yaml

    given = override(read_yaml(recipe), set or [])
    summary = run(given, root.resolve(), given, force=force)
    if as_json:
        _print_json(summary)
    else:
        train.show(summary)


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

    results = [(path, verify(path, root)) for path in manifest or sealed(root)]
    results += [] if manifest else [(path, [problem]) for path, problem in strays(root)]
    if not results:
        raise UserError("nothing to audit", value=root, cause="no sealed corpus in this workspace", next="make corpus")
    if as_json:
        _print_json([{"manifest": str(path), "problems": problems} for path, problems in results])
    else:
        table = Table(box=None, pad_edge=False)
        for title in ("corpus", "version", "result", "problem"):
            table.add_column(title)
        for path, problems in results:
            for i, problem in enumerate(problems or [""]):
                first = (*path.absolute().parts[-3:-1], "FAILED" if problems else "verified") if not i else ("", "", "")
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
