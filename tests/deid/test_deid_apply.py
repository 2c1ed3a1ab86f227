"""Policies and replacement: no character of a span survives, offsets stay true, values follow the rules."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid.apply import (
    Note,
    apply_policy,
    placeholders,
    placeholders_frame,
    read_date,
    render,
    render_frame,
    shown_values,
)
from deid.detect import Detector, DetectParams, detect_frame, load_detector
from deid.identifiers import IDENTIFIERS
from deid.policy import Policy, load_policy, placeholder, policy_names
from deid.spans import OUT_SPANS_DTYPE, SPANS_DTYPE, Span

SAFE_HARBOR = load_policy("safe_harbor_v1")
PLACEHOLDERS = load_policy("placeholders_v1")
EXPERT = load_policy("expert_shifted_v1")
LIMITED = load_policy("limited_dataset_v1")
KEYS = {"surrogate": b"s" * 32, "shift": b"t" * 32}


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


def in_full(text: str, spans: list[Span], policy: Policy) -> str:
    """One note through both steps, with keys."""
    shown = shown_values("p", [Note(text, spans)], policy, **KEYS)[0]
    return apply_policy(text, spans, policy, shown)[0]


@given(text_and_spans(), st.sampled_from([SAFE_HARBOR, PLACEHOLDERS, EXPERT]))
def test_no_character_of_a_span_survives(case: tuple[str, list[Span], str], policy: Policy) -> None:
    text, spans, _ = case
    outs = [f(text, spans, policy) for f in (in_full, lambda *a: placeholders(*a)[0], lambda *a: apply_policy(*a)[0])]
    for out in outs:
        assert not set(out) & set("ΑΒΓΔЖЩ漢字٣")


@given(text_and_spans(), st.sampled_from([SAFE_HARBOR, PLACEHOLDERS, EXPERT, LIMITED]))
def test_masked_text_masked_again_stays(case: tuple[str, list[Span], str], policy: Policy) -> None:
    masked, out = placeholders(case[0], case[1], policy)
    again = [Span(s.out_start, s.out_end, s.identifier, s.score, s.recognizer) for s in out]
    assert placeholders(masked, again, policy)[0] == masked
    if policy is EXPERT:
        wanted = [placeholder(s.identifier) for s in again if s.identifier not in ("AGE", "ZIP")]
        shown = shown_values("p", [Note(masked, again)], policy, **KEYS)[0]
        assert [s.value for s, at in zip(shown, again, strict=True) if at.identifier not in ("AGE", "ZIP")] == wanted


@given(text_and_spans())
def test_what_filters_and_deduplication_see_tells_no_value(case: tuple[str, list[Span], str]) -> None:
    text, spans, _ = case
    seen = {placeholders(text, spans, policy)[0] for policy in (SAFE_HARBOR, PLACEHOLDERS, LIMITED, EXPERT)}
    shown = shown_values("p", [Note(text, spans)], EXPERT, **KEYS)[0]
    assert seen | {placeholders(text, spans, EXPERT, shown)[0]} == seen
    assert len(seen) == 1


@given(text_and_spans())
def test_offsets_of_both_steps_point_at_what_was_put_there(case: tuple[str, list[Span], str]) -> None:
    text, spans, kept = case
    masked, out = placeholders(text, spans, SAFE_HARBOR)
    assert [masked[s.out_start : s.out_end] for s in out] == [f"[{s.identifier}]" for s in spans]
    shown, final = render(masked, out)
    assert [shown[s.out_start : s.out_end] for s in final] == [s.value for s in out]
    assert [Span(*s[:6]) for s in final] == spans
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
    assert policy_names() == ["expert_shifted_v1", "limited_dataset_v1", "placeholders_v1", "safe_harbor_v1"]
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
        Policy.model_validate({"name": "x_v1", "actions": {"NAME": "placeholder"}})


def test_only_what_can_be_generalised_may_be() -> None:
    with pytest.raises(ValueError, match="NAME"):
        Policy.model_validate(
            {"name": "x_v1", "actions": {i: "generalise" if i == "NAME" else "placeholder" for i in IDENTIFIERS}}
        )


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


# --- surrogates and shifted dates over a patient's notes -----------------------------------------------------


def dated(*days: date) -> tuple[str, list[Span]]:
    text, spans = "", []
    for day in days:
        text += "Seen "
        spans.append(Span(len(text), len(text) + 10, "DATE", 0.9, "dates.iso"))
        text += f"{day}. "
    return text, spans


def expert_frame(texts: list[str], spans: list[list[Span]], **columns: list[str | None]) -> pl.DataFrame:
    rows = pl.Series("spans", [[s._asdict() for s in row] for row in spans], dtype=SPANS_DTYPE)
    ids = {"record": [str(i) for i in range(len(texts))], "text": texts}
    return pl.DataFrame({**ids, **columns}).with_columns(rows)


@given(st.lists(st.dates(date(1950, 1, 1), date(2030, 1, 1)), min_size=1, max_size=6), st.text(max_size=6))
def test_intervals_stay_to_the_day_and_every_date_moves(days: list[date], patient: str) -> None:
    text, spans = dated(*days)
    shown = [s.value for s in shown_values(patient, [Note(text, spans)], EXPERT, **KEYS)[0]]
    moved = [date.fromisoformat(value) for value in shown]
    steps = {new - old for new, old in zip(moved, days, strict=True)}
    assert len(steps) == 1
    assert steps.pop() % timedelta(7) != timedelta(0)


def test_the_same_keys_give_the_same_bytes_and_other_keys_others() -> None:
    text, spans = dated(date(2019, 3, 4))
    text += "Doe"
    spans.append(Span(len(text) - 3, len(text), "NAME", 0.9, "t"))
    frame = expert_frame([text], [spans], patient=["p"])
    once, again = (render_frame(placeholders_frame(frame, EXPERT, **KEYS)) for _ in range(2))
    assert once.equals(again)
    other = render_frame(placeholders_frame(frame, EXPERT, surrogate=b"u" * 32, shift=b"v" * 32))
    assert other["text"][0] != once["text"][0]


def test_patients_get_different_days_and_a_patient_the_same_in_all_notes() -> None:
    text, spans = dated(date(2019, 3, 4))
    people = ["a", "b", "c", "d", "a", None, None]
    frame = expert_frame([text] * 7, [spans] * 7, patient=people)
    out = render_frame(placeholders_frame(frame, EXPERT, **KEYS))["text"].to_list()
    assert out[0] == out[4]
    assert len(set(out)) > 4


def test_times_of_the_notes_move_with_the_text_and_the_days_are_not_told() -> None:
    text, spans = dated(date(2019, 3, 4))
    frame = expert_frame([text] * 2, [spans] * 2, patient=["a", "a"], charted_at=["2019-03-04T10:15:00", "no date"])
    out = render_frame(placeholders_frame(frame, EXPERT, **KEYS))
    assert "shift_days" not in out.columns
    assert out["charted_at"][0] == f"{out['text'][0][5:15]}T10:15:00"
    assert out["charted_at"][1] is None
    untouched = render_frame(placeholders_frame(frame, SAFE_HARBOR))
    assert untouched["charted_at"].to_list() == frame["charted_at"].to_list()


def test_a_date_that_cannot_be_read_is_a_placeholder_and_counted() -> None:
    spans = [Span(0, 9, "DATE", 0.9, "t"), Span(10, 18, "DATE", 0.9, "t")]
    frame = placeholders_frame(expert_frame(["day after 3/4/2019"], [spans], patient=["a"]), EXPERT, **KEYS)
    assert [s["action"] for s in frame["spans"][0]] == ["placeholder", "shift"]
    assert render_frame(frame)["text"][0].startswith("[DATE] ")


def test_what_hangs_on_the_calendar_moves_or_goes() -> None:
    text = "Since 2015 and last winter; at Christmas, after Hurricane Ada, on Tuesday."
    spans = [Span(66, 73, "DATE", 0.9, "dates.weekday")]
    assert text[66:73] == "Tuesday"
    out = render_frame(placeholders_frame(expert_frame([text], [spans], patient=["a"]), EXPERT, **KEYS))["text"][0]
    for word in ("winter", "Christmas", "Hurricane", "Ada", "Tuesday"):
        assert word not in out


@pytest.mark.parametrize(
    ("birth", "note", "stays"),
    [("3/4/1950", "2019", True), ("3/4/1925", "2019", False), ("3/4/1950", None, False), ("3/4/25", "2019", False), ("3/4/50", "2019", True)],
)  # fmt: skip
def test_a_birth_date_is_shown_only_if_it_tells_no_age_over_89(birth: str, note: str | None, stays: bool) -> None:
    spans = [Span(0, len(birth), "DATE", 0.97, "dates.birth")]
    frame = expert_frame([birth], [spans], patient=["a"], charted_at=[note])
    out = render_frame(placeholders_frame(frame, EXPERT, **KEYS))["text"][0]
    assert (out == "[DATE]") is not stays


def test_a_policy_that_needs_keys_is_refused_without() -> None:
    with pytest.raises(UserError, match="needs a key"):
        placeholders_frame(expert_frame(["Doe"], [[Span(0, 3, "NAME", 0.9, "t")]]), EXPERT)


def test_expert_frames_without_rows_keep_their_columns() -> None:
    empty = pl.DataFrame(schema={"note_id": pl.Utf8, "text": pl.Utf8, "spans": SPANS_DTYPE})
    out = render_frame(placeholders_frame(empty, EXPERT, **KEYS))
    assert out.schema["spans"] == OUT_SPANS_DTYPE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2019-03-04T10:00:00Z", date(2019, 3, 4)),
        ("3/4/2019 10:00", date(2019, 3, 4)),
        ("20190304", date(2019, 3, 4)),
        ("2019", date(2019, 7, 2)),
        ("2019-02-30", None),
        ("", None),
        (None, None),
    ],
)
def test_the_date_of_a_note_is_read_from_its_timestamp(text: str | None, value: date | None) -> None:
    assert read_date(text) == value


def test_the_stages_of_a_build_draw_with_keys_of_their_own_and_account_for_every_character() -> None:
    from corpus.keys import DEMO_KEY, NO_KEYS, purpose_keys
    from corpus.runner import account
    from corpus.stages import deid_placeholders, deid_render

    keys = purpose_keys(DEMO_KEY, "demo")
    assert len({keys.record, keys.split, keys.source, keys.surrogate, keys.shift}) == 5
    text, spans = dated(date(2019, 3, 4))
    batch = expert_frame([text] * 2, [spans] * 2, patient=["a", "b"], charted_at=["2019-03-04", None])
    params = deid_placeholders.Params(policy="expert_shifted_v1")
    masked = deid_placeholders.apply(batch, params, deid_placeholders.load(params, keys))
    shown_notes = deid_render.apply(masked.batch, deid_render.Params(), None)
    account(batch, masked)
    assert account(masked.batch, shown_notes)["details"]["actions"] == {"DATE:shift": 2}
    assert set(masked.batch["text"]) == {"Seen [DATE]. "}
    assert "shift_days" not in shown_notes.batch.columns
    plain = deid_placeholders.Params()
    assert deid_placeholders.apply(batch, plain, deid_placeholders.load(plain, NO_KEYS)).batch.height == 2
