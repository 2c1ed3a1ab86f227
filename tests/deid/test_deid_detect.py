"""The detector as a whole: spans, Unicode, size, interoperability with presidio, and what must not be imported."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid.detect import Detector, DetectParams, detect_frame, load_detector
from deid.identifiers import IDENTIFIERS
from deid.recognizers import clinical_registry
from deid.spans import SPANS_DTYPE, Span, merge

NOTE = (
    "Patient: Doe, Jane  MRN: 00482913  DOB: 3/4/1931\nAge: 93 years. Seen by Dr. Alan Grey at Mercy Hospital on March 4, "
    "2019.\nCall (617) 555-0182. Lives at 3831 Orchid Crescent, Brumavale, OH 43055. jane@example.org\n"
)


@pytest.fixture(scope="module")
def patterns() -> Detector:
    return load_detector(DetectParams(ner="none"))


@pytest.fixture(scope="module")
def full() -> Detector:
    return load_detector()


def well_formed(text: str, spans: list[Span]) -> None:
    at = 0
    for span in spans:
        assert at <= span.start < span.end <= len(text)
        assert span.identifier in IDENTIFIERS
        assert 0 <= span.score <= 1
        assert not text[span.start].isspace()
        assert not text[span.end - 1].isspace()
        at = span.end


any_text = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("0123456789/-.:@#() \n\t\u00a0\u200b\u00ad\ufeff\u0301\u202eé０１Ａ"),
    ),
    max_size=300,
)
pieces = st.lists(
    st.one_of(any_text, st.sampled_from([*NOTE.split(" "), "Dr.", "MRN", "John", "Smith", "1", "fax", "\n", "St"])),
    max_size=40,
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(pieces)
def test_spans_are_sorted_disjoint_trimmed_and_inside(patterns: Detector, text: str) -> None:
    well_formed(text, patterns.detect([text])[0])


@settings(max_examples=25, deadline=None)
@given(st.lists(pieces, max_size=4))
def test_model_and_patterns_together_survive_any_text(full: Detector, texts: list[str]) -> None:
    found = full.detect(texts)
    for text, spans in zip(texts, found, strict=True):
        well_formed(text, spans)
    assert [full.detect([text])[0] for text in texts] == found


@given(
    st.lists(
        st.builds(
            Span,
            st.integers(0, 30),
            st.integers(0, 30),
            st.sampled_from(["NAME", "DATE", "ZIP"]),
            st.sampled_from([0.5, 0.7, 0.9]),
            st.sampled_from(["a", "b"]),
        )
    )
)
def test_merge_keeps_every_letter_and_does_not_depend_on_order(spans: list[Span]) -> None:
    text = "abc def, ghi (jkl) mno. pq 1234"
    spans = [s for s in spans if s.start < s.end]
    merged = merge(text, spans)
    well_formed(text, merged)
    assert merge(text, reversed(spans)) == merged
    wanted = {i for s in spans for i in range(s.start, s.end) if text[i].isalnum()}
    assert {i for s in merged for i in range(s.start, s.end) if text[i].isalnum()} == wanted


def test_better_span_decides_the_class_and_the_rest_keeps_its_own() -> None:
    text = "Doe MRN 4711"
    merged = merge(text, [Span(0, 12, "NAME", 0.6, "a"), Span(8, 12, "MRN", 0.9, "b")])
    assert merged == [Span(0, 7, "NAME", 0.6, "a"), Span(8, 12, "MRN", 0.9, "b")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SSN １２３-４５-６７８９ end", "１２３-４５-６７８９"),
        ("Call\u00a0617\u00a0555\u00a00182 end", "617\u00a0555\u00a00182"),
        ("Call 617\u2011555\u20110182 end", "617\u2011555\u20110182"),
        ("Patient: Jos\u0065\u0301 Nu\u0301n\u0303ez\n", "Jos\u0065\u0301 Nu\u0301n\u0303ez"),
        ("MRN: 0048\u00ad2913 end", "0048\u00ad2913"),
        ("MRN: 0048\u200b2913 end", "0048\u200b2913"),
        ("Seen by Dr. O’Connell today", "O’Connell"),
    ],
)
def test_offsets_point_into_the_stored_text(patterns: Detector, text: str, wanted: str) -> None:
    (span,) = patterns.detect([text])[0]
    assert text[span.start : span.end] == wanted


def test_identifier_on_two_lines_of_a_wrapped_paragraph_is_one(patterns: Detector) -> None:
    text = "He was seen for a short visit in the outpatient clinic again on March 4,\n2019 and was well."
    (span,) = patterns.detect([text])[0]
    assert text[span.start : span.end] == "March 4,\n2019"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("She was seen for a short visit in the clinic, and the nurse called Mrs.\nTarnholt again.", "Tarnholt"),
        ("For fever over 101 or worsening pain he was told to call us any time at (903)\n867-5409 again.", "(903)\n867-5409"),
        ("For fever or worsening pain he was told to call us at any time at (225) 495-5800 ext.\n4619 for help.", "(225) 495-5800 ext.\n4619"),
    ],
)  # fmt: skip
def test_a_line_behind_an_abbreviation_goes_on(patterns: Detector, text: str, whole: str) -> None:
    (span,) = patterns.detect([text])[0]
    assert text[span.start : span.end] == whole


def test_a_line_behind_the_end_of_a_sentence_is_a_line_of_its_own(patterns: Detector) -> None:
    text = "slept through most of the night and took all of her medication, report given.\nb. stands rn"
    (span,) = patterns.detect([text])[0]
    assert text[span.start : span.end] == "b. stands"


def test_name_is_linked_in_a_note_of_lower_case(patterns: Detector) -> None:
    texts = ["Patient: Ingrid Tarnholt", "rn spoke to tarnholt about his wound, he will come back to the clinic soon"]
    text = texts[1]
    (span,) = patterns.detect(texts, patients=["p", "p"])[1]
    assert text[span.start : span.end] == "tarnholt"


def test_half_a_surrogate_pair_is_read_over(full: Detector) -> None:
    (span,) = full.detect(["\ud800 Seen by Dr. Grey\udfff today"])[0]
    assert (span.start, span.end) == (14, 18)


def test_placeholders_are_no_identifiers(full: Detector) -> None:
    text = "".join(f"Seen by [{i}] on [{i}], [{i}] reported.\n" for i in IDENTIFIERS)
    assert full.detect([text])[0] == []


def test_even_a_greedy_recognizer_leaves_placeholders() -> None:
    from presidio_analyzer import Pattern, PatternRecognizer

    registry = clinical_registry("none")
    registry.add_recognizer(PatternRecognizer("MRN", name="greedy", patterns=[Pattern("p", r"[A-Z]{3,}", 0.9)]))
    (span,) = Detector(DetectParams(ner="none"), registry).detect(["[NAME] [DATE] QQQQ"])[0]
    assert (span.start, span.end) == (14, 18)


def test_frame_gets_a_column_of_spans_and_keeps_its_rows(patterns: Detector) -> None:
    notes = pl.DataFrame({"note_id": ["b", "a", "c"], "text": [NOTE, None, ""]})
    out = detect_frame(notes, patterns)
    assert out["note_id"].to_list() == ["b", "a", "c"]
    assert out.schema["spans"] == SPANS_DTYPE
    assert [len(s) for s in out["spans"].to_list()][1:] == [0, 0]
    assert out["spans"].to_list()[0] == [s._asdict() for s in patterns.detect([NOTE])[0]]


def test_empty_frame_is_allowed(patterns: Detector) -> None:
    out = detect_frame(pl.DataFrame(schema={"note_id": pl.Utf8, "text": pl.Utf8}), patterns)
    assert out.schema["spans"] == SPANS_DTYPE


def test_threshold_drops_weaker_spans() -> None:
    text = "Path S19-12345 and SSN 123-45-6789."
    strict = load_detector(DetectParams(ner="none", threshold=0.9)).detect([text])[0]
    assert [s.identifier for s in strict] == ["SSN"]


def test_linking_can_be_switched_off() -> None:
    text = "Patient: Ingrid Tarnholt\nDressing of Tarnholt is dry."
    off = load_detector(DetectParams(ner="none", link_names=False)).detect([text])[0]
    assert len(off) == 1


def test_registry_works_in_a_presidio_engine() -> None:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    engine = AnalyzerEngine(
        registry=clinical_registry("none"),
        nlp_engine=NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}]),
        supported_languages=["en"],
    )
    found = {(NOTE[r.start : r.end], r.entity_type) for r in engine.analyze(NOTE, language="en")}
    assert {("00482913", "MRN"), ("Doe, Jane", "NAME"), ("Mercy Hospital", "FACILITY")} <= found
    only = engine.analyze(NOTE, language="en", entities=["MRN"])
    assert {r.entity_type for r in only} == {"MRN"}


@pytest.mark.parametrize("model", ["clinical_v1", "en_core_web_sm"])
def test_recognizer_of_a_model_works_in_presidio(model: str) -> None:
    text = "After lunch Jennifer Anderson walked in Chicago."
    (recognizer,) = [r for r in clinical_registry(model).recognizers if r.name == "ner"]
    found = recognizer.analyze(text, ["NAME", "CLINICIAN", "CITY"])
    assert [(text[r.start : r.end], r.entity_type.replace("CLINICIAN", "NAME")) for r in found] == [
        ("Jennifer Anderson", "NAME"),
        ("Chicago", "CITY"),
    ]


def test_recognizer_of_a_user_is_called_and_mapped() -> None:
    from presidio_analyzer import Pattern, PatternRecognizer

    registry = clinical_registry("none")
    registry.add_recognizer(
        PatternRecognizer("PHONE_NUMBER", name="ours", patterns=[Pattern("p", r"\bQQ\d{4}\b", 0.9)])
    )
    (span,) = Detector(DetectParams(ner="none"), registry).detect(["dial QQ1234 now"])[0]
    assert (span.identifier, span.recognizer) == ("PHONE", "ours")


def test_recognizer_of_an_unknown_entity_is_refused() -> None:
    from presidio_analyzer import Pattern, PatternRecognizer

    registry = clinical_registry("none")
    registry.add_recognizer(PatternRecognizer("SHOE_SIZE", name="ours", patterns=[Pattern("p", r"\d+", 0.9)]))
    with pytest.raises(UserError, match="SHOE_SIZE"):
        Detector(DetectParams(ner="none"), registry)


def test_torch_is_neither_imported_nor_blocked_for_later(tmp_path: Path) -> None:
    # Stand-ins, so that the test means the same where torch is installed and where it is not.
    for name in ("torch", "transformers"):
        (tmp_path / f"{name}.py").write_text(f"print('{name} imported')\n")
    code = (
        "import sys\nsys.path.insert(0, sys.argv[1])\n"
        "import deid.detect as d, deid.evaluate, deid.apply\n"
        "d.load_detector().detect(['Seen by Dr. Grey.'])\nprint('detected')\nimport torch"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["detected", "torch imported"]


def test_torch_hidden_by_the_caller_stays_hidden() -> None:
    code = "import sys\nsys.modules['torch'] = None\nimport deid.detect\nprint(sys.modules['torch'])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "None"


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        NOTE,
        "a",
        "A",
        "1",
        "1-",
        "A. ",
        "Abc ",
        "ABC, ",
        "1/",
        "(",
        "Dr. ",
        "MRN ",
        "a@",
        "a.",
        "http://",
        ":",
        "\u0301",
        "Smith ",
        "1 Main ",
        "Mar ",
        "Oct 1, ",
        "the ",
        " ",
        "\n",
        "St. ",
        "Xavier-",
    ],
)
def test_time_grows_in_proportion_to_length(patterns: Detector, unit: str) -> None:
    def seconds(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        start = time.process_time()
        patterns.detect([text])
        return time.process_time() - start

    seconds(1000)
    small = seconds(15_000)
    # Four times the text; quadratic would take sixteen times as long. Other work on the machine only ever adds.
    assert min(seconds(60_000) for _ in range(3)) < 8 * small + 0.3


@pytest.mark.slow
def test_megabyte_note_finishes(full: Detector) -> None:
    page = NOTE + "The lungs are clear to auscultation and the abdomen is soft and not tender to palpation.\n" * 12
    text = page * (1_000_000 // len(page) + 1)
    start = time.process_time()
    spans = full.detect([text])[0]
    assert time.process_time() - start < 120
    well_formed(text, spans)
