"""Codes come from random nonces under a key that lies outside the workspace."""

import os
import stat

import pytest

from clinicorpus_errors import UserError
from corpus.crosswalk import Crosswalk
from corpus.keys import DEMO_KEY, code, purpose_keys, release_key


@pytest.fixture
def key_folder(tmp_path, monkeypatch):
    folder = tmp_path / "keys"
    monkeypatch.setenv("CLINICORPUS_KEYS", str(folder))
    return folder


def test_a_release_key_is_made_once_and_closed_to_others(tmp_path, key_folder):
    first, made = release_key("ward", root=tmp_path / "workspace")
    again, made_again = release_key("ward", root=tmp_path / "workspace")
    assert (made, made_again) == (True, False)
    assert first == again
    assert len(first) == 32
    assert stat.S_IMODE((key_folder / "ward.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(key_folder.stat().st_mode) == 0o700


def test_a_key_folder_inside_the_workspace_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CLINICORPUS_KEYS", str(tmp_path / "keys"))
    with pytest.raises(UserError, match="inside the workspace"):
        release_key("ward", root=tmp_path)


def test_a_key_that_others_can_read_is_refused(tmp_path, key_folder):
    release_key("ward", root=tmp_path / "workspace")
    os.chmod(key_folder / "ward.key", 0o644)
    with pytest.raises(UserError, match="read by others"):
        release_key("ward", root=tmp_path / "workspace")


def test_purpose_keys_differ_and_the_id_is_none_of_them():
    keys = purpose_keys(DEMO_KEY, "demo")
    values = [keys.record, keys.split, keys.source]
    assert len(set(values)) == 3
    assert all(keys.id not in value.hex() for value in [*values, DEMO_KEY])


def test_nonces_are_random_stay_and_differ_by_kind_and_source(tmp_path):
    crosswalk = Crosswalk(tmp_path / "a.sqlite")
    first = crosswalk.nonces("hospital", "patient", ["1", "2"])
    crosswalk.close()
    crosswalk = Crosswalk(tmp_path / "a.sqlite")
    assert crosswalk.nonces("hospital", "patient", ["2", "1", "3"]) | first == crosswalk.nonces(
        "hospital", "patient", ["1", "2", "3"]
    )
    assert crosswalk.nonces("hospital", "note", ["1"])["1"] != first["1"]
    assert crosswalk.nonces("clinic", "patient", ["1"])["1"] != first["1"]
    other = Crosswalk(tmp_path / "b.sqlite").nonces("hospital", "patient", ["1"])
    assert other["1"] != first["1"]


def test_seeded_nonces_are_the_same_everywhere(tmp_path):
    one = Crosswalk(tmp_path / "a.sqlite", seed=7).nonces("s", "note", ["1", "2"])
    two = Crosswalk(tmp_path / "b.sqlite", seed=7).nonces("s", "note", ["2", "1"])
    assert one == two
    assert Crosswalk(tmp_path / "c.sqlite", seed=8).nonces("s", "note", ["1"]) != {"1": one["1"]}


def test_more_identities_than_one_statement_can_bind(tmp_path):
    crosswalk = Crosswalk(tmp_path / "a.sqlite")
    names = [str(i) for i in range(1700)]
    first = crosswalk.nonces("s", "note", names)
    assert crosswalk.nonces("s", "note", names) == first
    assert len(set(first.values())) == 1700


def test_a_code_tells_apart_keys_and_nonces():
    assert code(b"k" * 32, b"n") != code(b"l" * 32, b"n")
    assert code(b"k" * 32, b"n") != code(b"k" * 32, b"m")
    assert len(code(b"k" * 32, b"n")) == 32
