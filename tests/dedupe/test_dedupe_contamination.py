import itertools
import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dedupe import contamination, shingles
from dedupe.contamination import ContaminationParams, find, index, passages

PARAMS = ContaminationParams()
WORDS = [f"word{i}" for i in range(4000)]
QUESTION = (
    "Which of these drugs is the first choice for a patient of 45 years with stable angina and asthma since childhood?"
)
OPTIONS = ["Verapamil", "Propranolol", "Nitroprusside", "None of these"]
SHORT = "Not true about rabies is"
SHORT_OPTIONS = ["Negri bodies are seen", "It is a DNA virus", "Incubation depends on the site", "Dogs carry it"]


def items(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["set", "item", "text"], orient="row")


QUESTIONS = index(
    items(
        *(("mcq", "long", text) for text in (QUESTION, *OPTIONS)),
        *(("mcq", "short", text) for text in (SHORT, *SHORT_OPTIONS)),
        *(("mcq", "tiny", text) for text in ("True is", "Yes", "No")),
    ),
    PARAMS,
)


def held(*texts: str, by: contamination.Index = QUESTIONS) -> list[tuple[int, str]]:
    return find(pl.Series(texts, dtype=pl.String), by).filter("held").select("row", "item").rows()


def words(rng: random.Random, count: int) -> list[str]:
    return rng.choices(WORDS, k=count)


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        QUESTION.upper(),
        QUESTION.replace(" ", "\n"),
        f"Yesterday he was asked: {QUESTION} He did not know.",
        QUESTION.replace("45", "[AGE]"),
        QUESTION.replace(", ", " ").replace("?", ""),
    ],
    ids=["as it is", "capitals", "wrapped", "inside", "masked", "without punctuation"],
)
def test_a_question_is_found_however_it_is_written(text: str) -> None:
    assert held(text) == [(0, "long")]


@pytest.mark.parametrize(
    "text",
    ["", "  ", "Propranolol", "a patient of 45 years with stable angina and asthma", "Which of these drugs is best?"],
)
def test_what_only_shares_words_with_a_question_holds_none(text: str) -> None:
    assert held(text) == []


def test_a_short_question_counts_with_its_options_only() -> None:
    assert held(SHORT) == []
    assert held(f"{SHORT}: every student knows that.") == []
    assert held(f"{SHORT}: {SHORT_OPTIONS[0]}; {SHORT_OPTIONS[2]}.") == [(0, "short")]
    assert held(f"{SHORT}\nA. {SHORT_OPTIONS[3]}\nB. {SHORT_OPTIONS[1]}\nC. {SHORT_OPTIONS[0]}") == [(0, "short")]


def test_items_too_short_to_tell_are_said_to_be() -> None:
    assert dict(QUESTIONS.names.select("item", "checkable").iter_rows()) == {"long": True, "short": True, "tiny": False}
    assert held("True is Yes No. " * 20) == []


def test_a_long_option_counts_alone() -> None:
    option = "Tell the patient what happened and write it down in the operative report of the same day"
    assert held(f"We {option.lower()}.", by=index(items(("q", "1", "What next?"), ("q", "1", option)), PARAMS)) == [
        (0, "1")
    ]


def test_an_item_that_is_there_in_part_is_named_but_not_held() -> None:
    rng = random.Random(3)
    note = words(rng, 100)
    found = find(pl.Series([" ".join(note[:60])]), index(items(("n", "1", " ".join(note))), PARAMS))
    assert found.select("item", "coverage", "held").rows() == [("1", 0.6, False)]


@pytest.mark.parametrize(("wide", "expected"), [(4, [(0, "1")]), (5, [])])
def test_a_gap_between_two_stretches_counts_up_to_its_length(wide: int, expected: list[tuple[int, str]]) -> None:
    own = WORDS[: 24 + 2 * wide]
    text = [w if i % (8 + wide) < 8 else "[NAME]" for i, w in enumerate(own)]
    assert held(" ".join(text), by=index(items(("n", "1", " ".join(own))), PARAMS)) == expected


def test_what_two_records_hold_together_neither_holds() -> None:
    made = index(items(("n", "1", " ".join(WORDS[:20]))), PARAMS)
    assert held(" ".join(WORDS[:10]), " ".join(WORDS[10:20]), by=made) == []
    assert held(" ".join(WORDS[:20]), by=made) == [(0, "1")]


@pytest.mark.parametrize("texts", [[], [""], ["...", None]])
def test_no_text_holds_nothing(texts: list[str | None]) -> None:
    assert find(pl.Series(texts, dtype=pl.String), QUESTIONS).height == 0


@pytest.mark.parametrize("rows", [[], [("s", "1", "")], [("s", "1", "word")]])
def test_no_items_are_in_nothing(rows: list[tuple[str, str, str]]) -> None:
    empty = items(*rows) if rows else pl.DataFrame(schema={"set": pl.String, "item": pl.String, "text": pl.String})
    assert find(pl.Series(["some text of a note"]), index(empty, PARAMS)).height == 0


def reference(text: str, parts: list[str], params: ContaminationParams) -> bool:
    """The rule in plain Python, for items whose parts are all as long as an n-gram."""

    def tokens(value: str) -> list[int]:
        return shingles.token_hashes(pl.Series([value]))[0].tolist()

    there, n = tokens(text), params.ngram
    grams = {tuple(there[i : i + n]) for i in range(len(there) - n + 1)}
    total, first = 0, False
    for number, part in enumerate(parts):
        own = tokens(part)
        hits = [i for i in range(len(own) - n + 1) if tuple(own[i : i + n]) in grams]
        covered = {k for i in hits for k in range(i, i + n)}
        for one, other in itertools.pairwise(hits):
            if other - one <= n + params.gap:
                covered |= set(range(one, other))
        if len(covered) / len(own) >= params.share:
            if len(covered) >= params.min_tokens:
                return True
            first, total = first or number == 0, total + len(covered)
    return first and total >= params.min_tokens


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_the_answer_is_that_of_the_rule_written_plainly(seed: int) -> None:
    rng = random.Random(seed)
    few = [f"w{i}" for i in range(rng.choice([3, 40]))]
    parts = [[" ".join(rng.choices(few, k=rng.randint(8, 30))) for _ in range(rng.randint(1, 3))] for _ in range(5)]
    texts = []
    for _ in range(6):
        text = rng.choices(few, k=rng.randint(0, 60))
        for part in rng.sample(parts, 2):
            copied = [w for w in " ".join(part).split() if rng.random() > rng.choice([0, 0.03, 0.1])]
            at = rng.randint(0, len(text))
            text[at:at] = copied
        texts.append(" ".join(text))
    made = index(items(*(("s", str(i), text) for i, one in enumerate(parts) for text in one)), PARAMS)
    expected = [
        (r, str(i)) for r, text in enumerate(texts) for i, one in enumerate(parts) if reference(text, one, PARAMS)
    ]
    assert sorted(held(*texts, by=made)) == expected


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_neither_order_nor_portions_of_the_work_matter(seed: int) -> None:
    rng = random.Random(seed)
    own = [" ".join(words(rng, 30)) for _ in range(6)]
    made = index(items(*(("s", str(i), text) for i, text in enumerate(own))), PARAMS)
    texts = [" ".join([*words(rng, 20), *rng.sample(own, rng.randint(0, 3)), *words(rng, 5)]) for _ in range(20)]
    whole = find(pl.Series(texts), made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contamination, "NOTES_AT_A_TIME", 3)
        patch.setattr(contamination, "PAIRS_AT_A_TIME", 1)
        assert_frame_equal(find(pl.Series(texts), made), whole)
    back = find(pl.Series(texts[::-1]), made).with_columns(row=len(texts) - 1 - pl.col("row"))
    assert_frame_equal(back.sort(back.columns), whole.sort(whole.columns))


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_once_its_passages_are_cut_out_an_item_is_gone_and_the_rest_stands(seed: int) -> None:
    rng = random.Random(seed)
    item, before, after = (
        words(rng, rng.randint(13, 60)),
        words(rng, rng.randint(0, 30)),
        words(rng, rng.randint(0, 30)),
    )
    made = index(items(("s", "1", " ".join(item))), PARAMS)
    text = " ".join(before) + ". " + ("\n" if rng.random() < 0.5 else " ").join(item).upper() + ".  " + " ".join(after)
    spans = passages(text, pl.DataFrame({"set": ["s"], "item": ["1"]}), made)
    assert spans
    left = "".join(
        text[a:b] for a, b in zip([0, *(e for _, e in spans)], [*(s for s, _ in spans), len(text)], strict=True)
    )
    assert not held(left, by=made)
    if not set(item) & {*before, *after}:
        assert left.replace(".", "").split() == [*before, *after]


@given(st.text(max_size=200))
def test_any_text_can_be_looked_through(text: str) -> None:
    find(pl.Series([text]), QUESTIONS)
    spans = passages(text + QUESTION, pl.DataFrame({"set": ["mcq"], "item": ["long"]}), QUESTIONS)
    assert spans is None or all(a < b <= len(text + QUESTION) for a, b in spans)


def test_one_phrase_in_every_item_and_every_text_does_not_square() -> None:
    phrase = "which of the following is the most likely diagnosis in this patient of ours today"
    made = index(items(*(("s", str(i), f"{phrase} {i} {' '.join(WORDS[i : i + 9])}") for i in range(2000))), PARAMS)
    with pytest.MonkeyPatch.context() as patch:
        most = []
        real = contamination._judged
        patch.setattr(
            contamination,
            "_judged",
            lambda row, gram, *rest: most.append(len(np.unique(row))) or real(row, gram, *rest),
        )
        patch.setattr(contamination, "PAIRS_AT_A_TIME", 20_000)
        assert held(*[phrase] * 200, by=made) == []
    assert max(most) <= 2


@pytest.mark.parametrize(
    "wrong", [{"ngram": 3}, {"share": 0}, {"share": 1.1}, {"min_tokens": 3}, {"gap": -1}, {"n": 8}]
)
def test_parameters_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ContaminationParams(**wrong)  # type: ignore[arg-type]
