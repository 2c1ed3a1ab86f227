"""Clinical state of a synthetic patient: problems that begin and end, drugs that are stepped, values that drift."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import NamedTuple

from synthetic.tables import load


class LabKind(NamedTuple):
    unit: str
    low: float
    high: float
    decimals: int


# Reference ranges of adults as US laboratories print them.
LABS = {
    "sodium": LabKind("mmol/L", 135, 145, 0),
    "potassium": LabKind("mmol/L", 3.5, 5.1, 1),
    "chloride": LabKind("mmol/L", 98, 107, 0),
    "bicarbonate": LabKind("mmol/L", 22, 29, 0),
    "BUN": LabKind("mg/dL", 7, 20, 0),
    "creatinine": LabKind("mg/dL", 0.6, 1.2, 2),
    "glucose": LabKind("mg/dL", 70, 99, 0),
    "calcium": LabKind("mg/dL", 8.6, 10.3, 1),
    "magnesium": LabKind("mg/dL", 1.7, 2.4, 1),
    "phosphorus": LabKind("mg/dL", 2.5, 4.5, 1),
    "WBC": LabKind("K/uL", 4.0, 11.0, 1),
    "hemoglobin": LabKind("g/dL", 12.0, 16.0, 1),
    "hematocrit": LabKind("%", 36, 46, 1),
    "platelets": LabKind("K/uL", 150, 400, 0),
    "HbA1c": LabKind("%", 4.0, 5.6, 1),
    "urine albumin/creatinine": LabKind("mg/g", 2, 30, 0),
    "BNP": LabKind("pg/mL", 5, 100, 0),
    "TSH": LabKind("mIU/L", 0.4, 4.5, 2),
    "free T4": LabKind("ng/dL", 0.8, 1.8, 1),
    "INR": LabKind("", 0.9, 1.1, 1),
    "troponin": LabKind("ng/mL", 0.0, 0.04, 2),
    "LDL": LabKind("mg/dL", 50, 100, 0),
    "pCO2": LabKind("mmHg", 35, 45, 0),
    "eosinophils": LabKind("K/uL", 0.0, 0.5, 1),
    "B12": LabKind("pg/mL", 200, 900, 0),
    "CRP": LabKind("mg/L", 0, 5, 0),
    "ESR": LabKind("mm/h", 0, 20, 0),
    "albumin": LabKind("g/dL", 3.5, 5.0, 1),
    "fecal calprotectin": LabKind("ug/g", 0, 50, 0),
    "bilirubin": LabKind("mg/dL", 0.2, 1.2, 1),
    "alkaline phosphatase": LabKind("U/L", 40, 129, 0),
    "lipase": LabKind("U/L", 10, 60, 0),
    "ammonia": LabKind("umol/L", 11, 35, 0),
    "lactate": LabKind("mmol/L", 0.5, 2.0, 1),
    "procalcitonin": LabKind("ng/mL", 0.0, 0.1, 1),
    "D-dimer": LabKind("ug/mL FEU", 0.0, 0.5, 1),
    "vitamin D": LabKind("ng/mL", 30, 80, 0),
    "PSA": LabKind("ng/mL", 0.0, 4.0, 1),
    "CEA": LabKind("ng/mL", 0.0, 3.0, 1),
    "ALT": LabKind("U/L", 7, 45, 0),
    "AST": LabKind("U/L", 8, 40, 0),
    "uric acid": LabKind("mg/dL", 3.5, 7.2, 1),
    "levetiracetam level": LabKind("ug/mL", 12, 46, 0),
    "alcohol level": LabKind("mg/dL", 0, 10, 0),
}
PANELS = (
    ("sodium", "potassium", "chloride", "bicarbonate", "BUN", "creatinine", "glucose"),
    ("WBC", "hemoglobin", "hematocrit", "platelets"),
)


class Study(NamedTuple):
    name: str
    reason: str
    finding: str
    impression: str


@dataclass(frozen=True)
class Problem:
    """One record of the problem table."""

    key: str
    names: tuple[str, ...]
    weight: int
    low: int
    high: int
    sex: str
    acute: bool
    lines: dict[str, list[str]]
    labs: tuple[tuple[str, float, float], ...]
    drugs: tuple[tuple[str, tuple[str, ...]], ...]
    studies: tuple[Study, ...]

    def fits(self, age: int, sex: str) -> bool:
        return self.low <= age <= self.high and self.sex in ("", sex)


def parts(line: str) -> list[str]:
    return [part.strip() for part in line.split(";;")]


@cache
def problems() -> dict[str, Problem]:
    """All problems of the table."""
    out: dict[str, Problem] = {}
    for key, record in load("problems").items():
        meta = dict(item.split("=") for item in record["meta"][0].split())
        drugs = [parts(line) for line in record.get("drugs", [])]
        labs = [line.rsplit(" ", 2) for line in record.get("labs", [])]
        out[key] = Problem(
            key=key,
            names=tuple(record["names"]),
            weight=int(meta["weight"]),
            low=int(meta.get("min", 0)),
            high=int(meta.get("max", 120)),
            sex=meta.get("sex", ""),
            acute="acute" in meta,
            lines=record,
            labs=tuple((name, float(low), float(high)) for name, low, high in labs),
            drugs=tuple((drug[0], tuple(drug[1:])) for drug in drugs),
            studies=tuple(Study(*parts(line)) for line in record.get("imaging", [])),
        )
    return out


# Drugs that nobody takes together: one of each group.
ALTERNATIVES = (
    {"lisinopril", "losartan", "sacubitril-valsartan"},
    {"carvedilol", "metoprolol succinate", "metoprolol tartrate", "propranolol", "nadolol"},
    {"warfarin", "apixaban", "rivaroxaban", "enoxaparin"},
    {"sertraline", "escitalopram"},
    {"cefazolin", "cephalexin", "ceftriaxone", "nitrofurantoin", "ciprofloxacin", "vancomycin", "levofloxacin"},
    {"alendronate", "denosumab"},
    {"letrozole", "tamoxifen"},
    {"adalimumab", "infliximab"},
    {"meloxicam", "celecoxib", "ibuprofen", "ketorolac"},
    {"budesonide-formoterol", "fluticasone", "fluticasone-salmeterol"},
)
# The allergy as it opens its line, and what is then not given.
ALLERGENS = {
    "Penicillin": {"piperacillin-tazobactam", "cefazolin", "cephalexin"},
    "Lisinopril": {"lisinopril", "sacubitril-valsartan"},
    "Aspirin": {"aspirin", "meloxicam", "ketorolac"},
    "Vancomycin": {"vancomycin"},
    "Codeine": {"oxycodone"},
}


@dataclass
class Regimen:
    problem: str
    drug: str
    steps: tuple[str, ...]
    step: int

    @property
    def dose(self) -> str:
        return self.steps[self.step]


@dataclass
class State:
    """What is true of a patient on the day of an encounter."""

    rng: random.Random
    sex: str
    active: list[str] = field(default_factory=list)
    past: list[str] = field(default_factory=list)
    drugs: list[Regimen] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    taken: list[date] = field(default_factory=list)
    sides: dict[str, str] = field(default_factory=dict)
    avoid: set[str] = field(default_factory=set)
    weight: float = 78.0
    systolic: int = 132

    def begin(self, key: str) -> None:
        """A problem starts, with one to three of its drugs at a low step."""
        if key in self.active:
            return
        problem = problems()[key]
        self.active.append(key)
        self.sides.setdefault(key, self.rng.choice(["left", "right"]))
        for drug, steps in self.rng.sample(problem.drugs, min(len(problem.drugs), self.rng.randint(1, 3))):
            taken = {regimen.drug for regimen in self.drugs}
            clash = (
                drug in taken or drug in self.avoid or any(drug in group and group & taken for group in ALTERNATIVES)
            )
            if not clash:
                self.drugs.append(Regimen(key, drug, steps, self.rng.randrange(max(1, len(steps) - 1))))

    def end(self, key: str) -> None:
        """An acute problem is over: it becomes history and its drugs stop."""
        if key in self.active:
            self.active.remove(key)
            self.past.append(key)
            self.drugs = [regimen for regimen in self.drugs if regimen.problem != key]

    def titrate(self) -> None:
        """One drug goes a step up, now and then one down."""
        steppable = [regimen for regimen in self.drugs if len(regimen.steps) > 1]
        if steppable:
            regimen = self.rng.choice(steppable)
            move = 1 if self.rng.random() < 0.8 else -1
            regimen.step = min(len(regimen.steps) - 1, max(0, regimen.step + move))

    def sample(self, day: date) -> None:
        """New values, once a day: each drifts inside the range of the problem that rules it, or the normal one."""
        if self.taken and self.taken[-1] == day:
            return
        ranges = {name: (LABS[name].low, LABS[name].high) for panel in PANELS for name in panel}
        for key in self.active:
            ranges |= {name: (low, high) for name, low, high in problems()[key].labs}
        for name, (low, high) in ranges.items():
            past = self.values.setdefault(name, [])
            width = high - low
            start = past[-1] if past else low + width * self.rng.random()
            value = start + width * self.rng.gauss(0, 0.16)
            value = low + (value - low) * 0.3 if value < low else high - (high - value) * 0.3 if value > high else value
            past.append(max(0.01, round(value, LABS[name].decimals)))
        hemoglobin = self.values["hemoglobin"][-1]
        self.values["hematocrit"][-1] = round(hemoglobin * (2.9 + 0.2 * self.rng.random()), 1)
        self.taken.append(day)
        self.weight = max(3.0, self.weight + self.rng.gauss(0, 0.015) * self.weight)

    def show(self, name: str, back: int = 1) -> str:
        """The latest value of a lab as printed, or the one before (``back=2``)."""
        values = self.values.get(name)
        if not values:
            return "pending"
        return f"{values[-min(back, len(values))]:.{LABS[name].decimals}f}"

    def flag(self, name: str) -> str:
        value, kind = self.values[name][-1], LABS[name]
        return "H" if value > kind.high else "L" if value < kind.low else ""


def new_problem(rng: random.Random, state: State, age: int, *, acute: bool) -> str | None:
    """A problem that the patient may get now, by its weight; ``None`` where none fits."""
    pool = [
        problem
        for problem in problems().values()
        if problem.acute == acute and problem.weight and problem.fits(age, state.sex)
        and problem.key not in state.active and problem.key not in state.past
    ]  # fmt: skip
    return rng.choices(pool, [problem.weight for problem in pool])[0].key if pool else None
