"""Policies: what becomes of each identifier. YAML files with versioned names; a changed rule gets a new version."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clinicorpus_errors import UserError
from deid.folding import fold
from deid.identifiers import IDENTIFIERS
from deid.spans import Span

Action = Literal["placeholder", "generalise", "keep"]
Zip3 = Annotated[str, Field(pattern=r"^\d{3}$")]

_FOLDER = Path(__file__).parent / "policies"
_YEAR = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")
_GENERALISED = ("DATE", "ZIP", "AGE")


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


class Policy(BaseModel):
    """An action for every identifier of the closed list, and the ZIP rule if ZIP codes are generalised."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+_v\d+$")]
    actions: dict[str, Action]
    zip3: ZipRule | None = None

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
        return self

    def shown(self, text: str, span: Span) -> str:
        """The string that stands for a span of `text` in what is released.

        A date shows its year if it holds exactly one in four digits; a two-digit year is not guessed at, and a birth
        date shows none, for a birth year can imply an age over 89. Whatever cannot be generalised is a placeholder.
        """
        action = self.actions[span.identifier]
        original = text[span.start : span.end]
        if action == "keep":
            return original
        if action == "generalise":
            plain = fold(original)[0]
            if span.identifier == "AGE":
                return "90+"
            if span.identifier == "DATE" and not span.recognizer.endswith(".birth"):
                years = set(_YEAR.findall(plain)) | set(_COMPACT.findall(plain))
                if len(years) == 1:
                    return years.pop()
            if span.identifier == "ZIP" and self.zip3 is not None:
                digits = "".join(c for c in plain if c.isdecimal())
                return self.zip3.shown(digits) if len(digits) in (5, 9) else "000"
        return placeholder(span.identifier)


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
