"""Instruction records made from the notes' own structure: no model, no template answer, nothing invented.

Each task asks for something the author of the note wrote down, so that the answer is a clinician's. Which wording
a record gets depends on its key alone. Records keep the split of their note; sealed non-members make none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import polars as pl
from pydantic import Field

from corpus.sections import TITLES, Section, body, parse
from corpus.stage import Outcome, StageParams

NAME = "instruct"
SCOPE = "note"
READS = ("text", "note_type", "split", "patient")
WRITES = ()
LIBRARIES = ()
KEEP = False

Task = Literal["impression", "assessment_plan", "medications", "diagnosis", "section_title", "note_type"]
TASKS: tuple[Task, ...] = ("impression", "assessment_plan", "medications", "diagnosis", "section_title", "note_type")


class Params(StageParams):
    tasks: tuple[Task, ...] = TASKS
    """Tasks to make records for."""
    max_prompt_chars: int = Field(default=6000, ge=200)
    """A note that would make a longer prompt gives no record for that task."""
    min_answer_chars: int = Field(default=12, ge=1)
    """Shorter sections are no answer worth learning (labels of the two naming tasks may be shorter)."""


class Draft(NamedTuple):
    prompt: str
    completion: str


PROMPTS: dict[str, tuple[str, ...]] = {
    "impression": (
        "Write the impression for this report.\n\n{source}",
        "{source}\n\nState the radiologist's impression in a few words.",
        "Read the findings below and give the impression.\n\n{source}",
    ),
    "assessment_plan": (
        "Write the assessment and plan for this note.\n\n{source}",
        "{source}\n\nWhat is your assessment, and what is the plan?",
        "Continue the clinical note below with its assessment and plan.\n\n{source}",
    ),
    "medications": (
        "List the medications documented in this note as they are written.\n\n{source}",
        "{source}\n\nWhich medications does this note list?",
        "Extract the medication list from the note.\n\n{source}",
    ),
    "diagnosis": (
        "Which diagnoses does the following note lead to?\n\n{source}",
        "{source}\n\nState the diagnosis as the author of this note would.",
        "Give the diagnoses for the note below.\n\n{source}",
    ),
    "section_title": (
        "Which section of a clinical note is this? Answer with its title.\n\n{source}",
        "{source}\n\nName the section of the note that this text belongs to.",
    ),
    "note_type": (
        "What type of clinical note is this?\n\n{source}",
        "{source}\n\nName the type of this document.",
    ),
}


def _without(sections: list[Section], *titles: str) -> str:
    return "\n".join(s.text for s in sections if s.title not in titles).strip()


def _before(sections: list[Section], *titles: str) -> str:
    parts = []
    for section in sections:
        if section.title in titles:
            break
        parts.append(section.text)
    return "\n".join(parts).strip()


def _impression(sections: list[Section], note_type: str, pick: int) -> Draft | None:
    return Draft(_before(sections, "impression"), body(sections, "impression")) if body(sections, "findings") else None


def _assessment_plan(sections: list[Section], note_type: str, pick: int) -> Draft | None:
    titles = ("assessment and plan", "assessment", "plan")
    answer = "\n".join(text for title in titles if (text := body(sections, title)))
    return Draft(_before(sections, *titles), answer)


def _medications(sections: list[Section], note_type: str, pick: int) -> Draft | None:
    return Draft("\n".join(s.text for s in sections).strip(), body(sections, "medications"))


def _diagnosis(sections: list[Section], note_type: str, pick: int) -> Draft | None:
    return Draft(_without(sections, "diagnosis", "assessment", "assessment and plan"), body(sections, "diagnosis"))


def _section_title(sections: list[Section], note_type: str, pick: int) -> Draft | None:
    named = [s for s in sections if s.title in TITLES and len(s.body) >= 40]
    return Draft(named[pick % len(named)].body, named[pick % len(named)].title) if named else None


def _note_type(sections: list[Section], note_type: str, pick: int) -> Draft | None:
    return Draft("\n".join(s.text for s in sections).strip(), note_type.strip().lower())


MAKERS: dict[str, Callable[[list[Section], str, int], Draft | None]] = {
    "impression": _impression, "assessment_plan": _assessment_plan, "medications": _medications,
    "diagnosis": _diagnosis, "section_title": _section_title, "note_type": _note_type,
}  # fmt: skip


def _records(row: dict[str, Any], params: Params) -> Iterator[dict[str, Any]]:
    sections = parse(row["text"])
    for task in dict.fromkeys(params.tasks):
        digest = hashlib.blake2b(f"{row['record']}/{task}".encode(), digest_size=16)
        pick = int.from_bytes(digest.digest()[:4], "big")
        draft = MAKERS[task](sections, row["note_type"] or "", pick)
        shortest = 1 if task in ("section_title", "note_type") else params.min_answer_chars
        if draft is None or len(draft.completion) < shortest or len(draft.prompt) < 40:
            continue
        if len(draft.prompt) > params.max_prompt_chars:
            continue
        prompt = PROMPTS[task][pick % len(PROMPTS[task])].replace("{source}", draft.prompt)
        yield {
            "record": digest.hexdigest(), "patient": row["patient"], "parent": row["record"], "split": row["split"],
            "task": task, "reason": f"instruct.{task}", "chars": len(prompt) + len(draft.completion),
            "prompt": prompt, "completion": draft.completion,
            "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": draft.completion}],
        }  # fmt: skip


SCHEMA: dict[str, Any] = {
    "record": pl.String, "patient": pl.String, "parent": pl.String, "split": pl.String, "task": pl.String,
    "reason": pl.String, "chars": pl.Int64, "prompt": pl.String, "completion": pl.String,
    "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
}  # fmt: skip


def apply(batch: pl.DataFrame, params: Params, resources: None) -> Outcome:
    """Pass the notes on, and create instruction records that name their note as parent."""
    columns = [c for c in ("record", "patient", "text", "note_type", "split") if c in batch.columns]
    members = batch.filter(pl.col("split") != "nonmember").select(columns)
    if "note_type" not in members.columns:
        members = members.with_columns(note_type=pl.lit(None, dtype=pl.String))
    made = [record for row in members.iter_rows(named=True) for record in _records(row, params)]
    return Outcome(batch, created=pl.DataFrame(made, schema=SCHEMA))
