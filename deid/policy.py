"""Policies: what becomes of each identifier. YAML files with versioned names; a changed rule gets a new version.

| action | the reader sees |
|---|---|
| placeholder | the class in brackets |
| generalise | a date's year, a ZIP code's three digits, `90+` |
| surrogate | a made-up value of the same form, the same for the same person in all of a patient's notes (`deid.surrogates`) |
| shift | the date, moved by the patient's own number of days (`deid.shift`) |
| keep | what was written |

Surrogates and shifts need all notes of a patient and a key; `Policy.shown` alone, which has neither, gives the placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clinicorpus_errors import UserError
from deid.folding import fold
from deid.identifiers import IDENTIFIERS
from deid.spans import Span

Action = Literal["placeholder", "surrogate", "generalise", "shift", "keep"]
Zip3 = Annotated[str, Field(pattern=r"^\d{3}$")]

_FOLDER = Path(__file__).parent / "policies"
_YEAR = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")
_GENERALISED = ("DATE", "ZIP", "AGE")
_NO_SURROGATE = ("DATE", "ZIP", "AGE")
# Days after which some date has the same month and day again.
_WHOLE_YEARS = frozenset(
    (date(y + n, m, 1) - date(y, m, 1)).days for y in range(2000, 2008) for n in range(1, 12) for m in (1, 3)
)


class ZipRule(BaseModel):
    """Which three-digit ZIP prefixes may stay: assigned ones that are restricted by no census listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    restricted: dict[str, tuple[Zip3, ...]]
    assigned: frozenset[Zip3]

    @field_validator("assigned", mode="before")
    @classmethod
    def _expand(cls, value: object) -> object:
        """ "006-035 100" to the set of its prefixes."""
        if not isinstance(value, str):
            return value
        out: set[str] = set()
        for part in value.split():
            first, _, last = part.partition("-")
            if not (first.isdecimal() and (last or first).isdecimal()):
                raise ValueError(f"not a range of prefixes: {part}")
            out.update(f"{n:03d}" for n in range(int(first), int(last or first) + 1))
        return frozenset(out)

    def shown(self, zip_code: str) -> str:
        """The prefix if it may stay, else "000"."""
        prefix = zip_code[:3]
        if prefix not in self.assigned or any(prefix in listed for listed in self.restricted.values()):
            return "000"
        return prefix


class ShiftRule(BaseModel):
    """By how many days dates may be moved, in either direction.

    Never by whole weeks, or "Tuesday" would stay what it was, and never by whole years, or "3/14" would. From 48 to 317
    days also every month and every season changes its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: Annotated[int, Field(ge=1)]
    most: Annotated[int, Field(le=3650)]
    day_first: bool = False
    """Read 4/3/2019 as the fourth of March, where both readings are possible."""

    @model_validator(mode="after")
    def _some(self) -> ShiftRule:
        if len(self.days()) < 100:
            raise ValueError("fewer than 100 different shifts: anyone could try them all on one known date")
        return self

    def days(self) -> tuple[int, ...]:
        """Every shift allowed."""
        one_way = [n for n in range(self.least, self.most + 1) if n % 7 and n not in _WHOLE_YEARS]
        return (*(-n for n in reversed(one_way)), *one_way)


class Policy(BaseModel):
    """An action for every identifier of the closed list, and the rules that some actions need.

    `still_phi` and `status` say in the manifest what the result is, by the rule alone. Nothing is claimed for a policy
    of the user's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+_v\d+$")]
    version: int
    """The number at the end of the name."""
    still_phi: bool = True
    """The result is protected health information even if every identifier was found."""
    status: Annotated[str, Field(min_length=1)] = "a policy of the user's own; nothing is claimed for it"
    actions: dict[str, Action]
    zip3: ZipRule | None = None
    shift: ShiftRule | None = None

    @model_validator(mode="before")
    @classmethod
    def _version_of_name(cls, value: object) -> object:
        if isinstance(value, dict) and (found := re.search(r"_v(\d+)$", str(value.get("name")))):
            return {"version": int(found[1]), **value}
        return value

    @model_validator(mode="after")
    def _complete(self) -> Policy:
        if missing := [i for i in IDENTIFIERS if i not in self.actions]:
            raise ValueError(f"no action for {', '.join(missing)}")
        if unknown := sorted(set(self.actions) - set(IDENTIFIERS)):
            raise ValueError(f"not in the closed list of identifiers: {', '.join(unknown)}")
        if wrong := [i for i, a in self.actions.items() if a == "generalise" and i not in _GENERALISED]:
            raise ValueError(f"only {', '.join(_GENERALISED)} can be generalised, not {', '.join(wrong)}")
        if self.actions["ZIP"] == "generalise" and self.zip3 is None:
            raise ValueError("ZIP is generalised, but zip3 is missing")
        if wrong := [i for i, a in self.actions.items() if a == "surrogate" and i in _NO_SURROGATE]:
            raise ValueError(f"there is no surrogate for {', '.join(wrong)}; generalise, or shift a DATE")
        if wrong := [i for i, a in self.actions.items() if a == "shift" and i != "DATE"]:
            raise ValueError(f"only DATE can be shifted, not {', '.join(wrong)}")
        if self.actions["DATE"] == "shift" and self.shift is None:
            raise ValueError("DATE is shifted, but shift is missing")
        if self.version != int(self.name.rpartition("_v")[2]):
            raise ValueError("version is not the number at the end of the name")
        return self

    @property
    def needs_keys(self) -> bool:
        """Whether what is shown depends on the patient and on a key."""
        return not {"surrogate", "shift"}.isdisjoint(self.actions.values())

    def shown(self, text: str, span: Span) -> str:
        """The string that stands for a span of `text` in what is released.

        A date shows its year if it holds exactly one in four digits; a two-digit year is not guessed at. A birth date
        shows none, nor does a year that `deid.over89` found, for they imply an age over 89. Whatever cannot be
        generalised is a placeholder.
        """
        action = self.actions[span.identifier]
        original = text[span.start : span.end]
        if action == "keep":
            return original
        if action == "generalise":
            plain = fold(original)[0]
            # "CABG at age 75 in 1999" tells an age over 89 in 2016; "at age 90+ in 1999" would be untrue.
            if span.identifier == "AGE" and span.recognizer not in ("over89.age_then", "over89.married"):
                return "90+"
            if span.identifier == "DATE" and not implies_age(span):
                years = set(_YEAR.findall(plain)) | set(_COMPACT.findall(plain))
                if len(years) == 1:
                    return years.pop()
            if span.identifier == "ZIP" and self.zip3 is not None:
                digits = "".join(c for c in plain if c.isdecimal())
                return self.zip3.shown(digits) if len(digits) in (5, 9) else "000"
        return placeholder(span.identifier)


def implies_age(span: Span) -> bool:
    """Whether a date is one of birth, or of an event that tells an age over 89."""
    return span.recognizer.endswith(".birth") or span.recognizer.startswith("over89.")


def placeholder(identifier: str) -> str:
    """ "[NAME]": only the class, so that deduplication sees no difference between two people."""
    return f"[{identifier}]"


def policy_names() -> list[str]:
    """Names of the policies that are shipped."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_policy(name: str) -> Policy:
    """A shipped policy by its name, or one of the user's own by the path of its YAML file.

    Raises UserError when it is not there or does not fit; all faults of a file are told at once.
    """
    path = _FOLDER / f"{name}.yaml" if name in policy_names() else Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise UserError(
            "no such policy",
            value=name,
            cause=f"shipped are {', '.join(policy_names())}",
            next="name one, or a .yaml file",
        )
    try:
        return Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = "; ".join(_fault(e["loc"], e["msg"]) for e in error.errors())
        raise UserError(
            "the policy file does not fit", value=path.name, cause=faults, next="correct the file"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError("the policy file is not YAML in UTF-8", value=path.name, next="correct the file") from None


def _fault(where: Iterable[int | str], what: str) -> str:
    return f"{'.'.join(map(str, where)) or 'policy'}: {what}"
