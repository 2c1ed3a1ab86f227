"""The shipped policies: what each shows, what each says of itself, and that no file can ask for what does not exist."""

from __future__ import annotations

import pytest

from deid.identifiers import IDENTIFIERS
from deid.policy import Policy, ShiftRule, load_policy, policy_names
from deid.spans import Span

ALL = {name: load_policy(name) for name in policy_names()}
LIMITED = ALL["limited_dataset_v1"]
EXPERT = ALL["expert_shifted_v1"]
SAFE_HARBOR = ALL["safe_harbor_v1"]


def shown(policy: Policy, identifier: str, text: str, recognizer: str = "t") -> str:
    return policy.shown(text, Span(0, len(text), identifier, 0.9, recognizer))


@pytest.mark.parametrize("name", sorted(ALL))
def test_shipped_policy_names_its_version_and_says_what_its_result_is(name: str) -> None:
    policy = ALL[name]
    assert policy.version == 1
    assert "nothing is claimed" not in policy.status


def test_which_results_stay_protected_health_information() -> None:
    assert {name for name, policy in ALL.items() if policy.still_phi} == {"limited_dataset_v1", "expert_shifted_v1"}
    assert "data use agreement" in LIMITED.status
    assert "164.514(e)" in LIMITED.status


def test_limited_data_set_keeps_what_the_rule_lets_stay_and_nothing_else() -> None:
    kept = {i for i, action in LIMITED.actions.items() if action == "keep"}
    assert kept == {"CITY", "ZIP", "DATE", "AGE"}
    assert {LIMITED.actions[i] for i in IDENTIFIERS if i not in kept} == {"placeholder"}
    assert shown(LIMITED, "AGE", "93") == "93"
    assert shown(LIMITED, "DATE", "3/4/1925", "over89.birth") == "3/4/1925"


@pytest.mark.parametrize("name", sorted(set(ALL) - {"limited_dataset_v1"}))
@pytest.mark.parametrize(
    ("identifier", "text", "rule"),
    [("AGE", "93", "ages.before_unit"), ("AGE", "87", "over89.age"), ("DATE", "1943", "over89.school"), ("AGE", "75", "over89.age_then")],
)  # fmt: skip
def test_no_policy_but_the_limited_data_set_tells_an_age_over_89(
    name: str, identifier: str, text: str, rule: str
) -> None:
    assert shown(ALL[name], identifier, text, rule) in ("90+", f"[{identifier}]")


def test_without_keys_nothing_is_drawn() -> None:
    assert shown(EXPERT, "NAME", "Doe") == "[NAME]"
    assert shown(EXPERT, "DATE", "3/4/2019") == "[DATE]"
    assert EXPERT.needs_keys
    assert not SAFE_HARBOR.needs_keys


def test_zip_rule_is_the_same_wherever_zip_codes_are_generalised() -> None:
    assert EXPERT.zip3 == SAFE_HARBOR.zip3


def test_shift_is_never_zero_whole_weeks_or_whole_years() -> None:
    days = ShiftRule(least=1, most=3650).days()
    assert 0 not in days
    assert all(n % 7 for n in days)
    assert not {365, 366, 730, 731, 1096, 1461, -365, -1461} & set(days)
    assert sorted(days) == list(days)
    assert {-n for n in days} == set(days)


def _with(**changes: object) -> dict[str, object]:
    actions = dict.fromkeys(IDENTIFIERS, "placeholder")
    actions.update(changes.pop("actions", {}))  # type: ignore[call-overload]
    return {"name": "x_v1", "actions": actions, **changes}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"actions": {"DATE": "surrogate"}}, "surrogate for DATE"),
        ({"actions": {"AGE": "surrogate"}}, "surrogate for AGE"),
        ({"actions": {"NAME": "shift"}}, "only DATE can be shifted"),
        ({"actions": {"DATE": "shift"}}, "shift is missing"),
        ({"shift": {"least": 30, "most": 40}}, "fewer than 100"),
        ({"version": 2}, "version is not the number"),
        ({"shift": {"least": 0, "most": 300}}, "greater than or equal to 1"),
    ],
)
def test_a_policy_that_asks_for_what_there_is_not_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Policy.model_validate(_with(**changes))


def test_nothing_is_claimed_for_a_policy_of_the_users_own() -> None:
    own = Policy.model_validate(_with())
    assert own.still_phi
    assert "nothing is claimed" in own.status
    assert own.version == 1
