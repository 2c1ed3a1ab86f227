"""Policies and replacement: no character of a span survives, offsets stay true, values follow the rules."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid.apply import apply_policy, placeholders, placeholders_frame, render, render_frame
from deid.detect import Detector, DetectParams, detect_frame, load_detector
from deid.identifiers import IDENTIFIERS
from deid.policy import Policy, load_policy, policy_names
from deid.spans import OUT_SPANS_DTYPE, SPANS_DTYPE, Span

SAFE_HARBOR = load_policy("safe_harbor_v1")
PLACEHOLDERS = load_policy("placeholders_v1")


@st.composite
def text_and_spans(draw: st.DrawFn) -> tuple[str, list[Span], str]:
    """Text built of harmless pieces and secrets; the secrets are made of letters that occur nowhere else."""
    text, kept, spans = "", "", []
    for secret, identifier, filler in draw(
        st.lists(
            st.tuples(
                st.text(alphabet="ΑΒΓΔЖЩ漢字٣", min_size=1, max_size=6),
                st.sampled_from(IDENTIFIERS),
                st.text(alphabet="ab c\n[NAME].é😀", max_size=8),
            ),
            max_size=8,
        )
    ):
        text += filler
        kept += filler
        spans.append(Span(len(text), len(text) + len(secret), identifier, 0.9, "test.rule"))
        text += secret
    return text, spans, kept


@given(text_and_spans(), st.sampled_from([SAFE_HARBOR, PLACEHOLDERS]))
def test_no_character_of_a_span_survives(case: tuple[str, list[Span], str], policy: Policy) -> None:
    text, spans, _ = case
    for out in (placeholders(text, spans, policy)[0], apply_policy(text, spans, policy)[0]):
        assert not set(out) & set("ΑΒΓΔЖЩ漢字٣")


@given(text_and_spans())
def test_offsets_of_both_steps_point_at_what_was_put_there(case: tuple[str, list[Span], str]) -> None:
    text, spans, kept = case
    masked, out = placeholders(text, spans, SAFE_HARBOR)
    assert [masked[s.out_start : s.out_end] for s in out] == [f"[{s.identifier}]" for s in spans]
    shown, final = render(masked, out)
    assert [shown[s.out_start : s.out_end] for s in final] == [s.value for s in out]
    assert [Span(*s[:5]) for s in final] == spans
    rest, at = "", 0
    for s in final:
        rest, at = rest + shown[at : s.out_start], s.out_end
    assert rest + shown[at:] == kept


def test_text_that_looks_like_a_placeholder_is_left() -> None:
    text = "[NAME] and [DATE] stood here; Doe came."
    masked, out = placeholders(text, [Span(30, 33, "NAME", 0.9, "t")], SAFE_HARBOR)
    assert masked == "[NAME] and [DATE] stood here; [NAME] came."
    assert render(masked, out)[0] == masked


def test_masking_twice_changes_nothing() -> None:
    detector = load_detector(DetectParams(ner="none"))
    text = "Patient: Doe, Jane MRN: 0048291\nSeen by Dr. Grey, MD on 3/4/2019 at Mercy Hospital, Springfield, IL 62704."
    once = apply_policy(text, detector.detect([text])[0], PLACEHOLDERS)[0]
    assert apply_policy(once, detector.detect([once])[0], PLACEHOLDERS)[0] == once


def shown(identifier: str, text: str, recognizer: str = "t") -> str:
    return SAFE_HARBOR.shown(text, Span(0, len(text), identifier, 0.9, recognizer))


@pytest.mark.parametrize("prefix", sorted({p for listed in SAFE_HARBOR.zip3.restricted.values() for p in listed}))
def test_restricted_prefix_becomes_000(prefix: str) -> None:
    assert shown("ZIP", prefix + "01") == "000"


@pytest.mark.parametrize(
    "code", ["09012", "34010", "96201", "96699", "00501", "00000", "21301", "99", "123456", "o2139"]
)
def test_military_unassigned_and_misread_codes_become_000(code: str) -> None:
    assert shown("ZIP", code) == "000"


@pytest.mark.parametrize(
    ("code", "value"),
    [("02139", "021"), ("02139-4307", "021"), ("90210", "902"), ("０２１３９", "021"), ("99501", "995")],
)
def test_ordinary_code_shows_three_digits(code: str, value: str) -> None:
    assert shown("ZIP", code) == value


def test_all_23_restricted_prefixes_are_listed() -> None:
    assert len({p for listed in SAFE_HARBOR.zip3.restricted.values() for p in listed}) == 23


@pytest.mark.parametrize(
    ("date", "value"),
    [
        ("March 4, 2019", "2019"),
        ("2019-03-04", "2019"),
        ("20190304", "2019"),
        ("3/4/2019 to 3/9/2019", "2019"),
        ("12/30/2019 - 1/2/2020", "[DATE]"),
        ("3/4/19", "[DATE]"),
        ("Tuesday", "[DATE]"),
    ],
)
def test_date_shows_its_year_if_it_holds_one(date: str, value: str) -> None:
    assert shown("DATE", date) == value


def test_birth_date_shows_no_year() -> None:
    assert shown("DATE", "3/4/1931", "dates.birth") == "[DATE]"


@pytest.mark.parametrize("age", ["93", "ninety-three", "102"])
def test_age_is_pooled(age: str) -> None:
    assert shown("AGE", age) == "90+"


def test_placeholders_policy_shows_no_year() -> None:
    assert PLACEHOLDERS.shown("2019-03-04", Span(0, 10, "DATE", 0.9, "t")) == "[DATE]"


@pytest.mark.parametrize(
    "spans",
    [
        [Span(0, 99, "NAME", 0.9, "t")],
        [Span(2, 2, "NAME", 0.9, "t")],
        [Span(0, 3, "NAME", 0.9, "t"), Span(2, 4, "NAME", 0.9, "t")],
    ],
)
def test_spans_that_do_not_fit_are_refused_without_showing_text(spans: list[Span]) -> None:
    with pytest.raises(UserError) as caught:
        placeholders("Zyxwv", spans, SAFE_HARBOR)
    assert "Zyx" not in repr(caught.value)


def test_rendering_a_changed_text_is_refused() -> None:
    masked, out = placeholders("Zyxwv came", [Span(0, 5, "NAME", 0.9, "t")], SAFE_HARBOR)
    with pytest.raises(UserError) as caught:
        render(" " + masked, out)
    assert "came" not in repr(caught.value)


def test_shipped_policies_load_and_carry_their_file_name() -> None:
    assert policy_names() == ["placeholders_v1", "safe_harbor_v1"]
    assert [load_policy(name).name for name in policy_names()] == policy_names()


def test_keep_puts_the_original_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    shipped = Path(load_policy.__globals__["_FOLDER"]) / "placeholders_v1.yaml"
    path.write_text(
        shipped.read_text().replace("placeholders_v1", "mine_v1").replace("CITY: placeholder", "CITY: keep")
    )
    policy = load_policy(str(path))
    spans = [Span(5, 11, "CITY", 0.9, "t")]
    masked, out = placeholders("From Boston.", spans, policy)
    assert masked == "From [CITY]."
    assert render(masked, out)[0] == "From Boston."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name: x_v1\nactions: {NAME: blur}", "actions.NAME"),
        ("name: X\nactions: {}", "name"),
        ("name: x_v1\nactions: {NAME: generalise}\nmore: 1", "more"),
        ("name: [", "YAML"),
    ],
)
def test_wrong_policy_file_names_its_faults(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        load_policy(str(path))
    assert told in f"{caught.value} {caught.value.cause}"


def test_incomplete_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="no action for CLINICIAN"):
        Policy(name="x_v1", actions={"NAME": "placeholder"})


def test_only_what_can_be_generalised_may_be() -> None:
    with pytest.raises(ValueError, match="NAME"):
        Policy(name="x_v1", actions={i: "generalise" if i == "NAME" else "placeholder" for i in IDENTIFIERS})


def test_unknown_policy_names_the_shipped_ones() -> None:
    with pytest.raises(UserError) as caught:
        load_policy("no_such")
    assert "safe_harbor_v1" in caught.value.cause


def test_frames_go_through_both_steps() -> None:
    detector: Detector = load_detector(DetectParams(ner="none"))
    notes = pl.DataFrame({"note_id": ["a", "b"], "text": ["Seen on March 4, 2019 by Dr. Grey.", None]})
    found = detect_frame(notes, detector)
    masked = placeholders_frame(found, SAFE_HARBOR)
    assert masked["text"].to_list() == ["Seen on [DATE] by Dr. [CLINICIAN].", ""]
    assert masked.schema["spans"] == OUT_SPANS_DTYPE
    shown_frame = render_frame(masked)
    assert shown_frame["text"].to_list() == ["Seen on 2019 by Dr. [CLINICIAN].", ""]
    assert shown_frame.schema["spans"] == OUT_SPANS_DTYPE


def test_frames_without_rows_keep_their_columns() -> None:
    empty = pl.DataFrame(schema={"note_id": pl.Utf8, "text": pl.Utf8, "spans": SPANS_DTYPE})
    assert render_frame(placeholders_frame(empty, SAFE_HARBOR)).schema["spans"] == OUT_SPANS_DTYPE
