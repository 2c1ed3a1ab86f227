"""Release keys and the purpose keys derived from them.

A release key is 32 random bytes in a file outside the workspace (`CLINICORPUS_KEYS`, else
~/.config/clinicorpus/keys), one for each line of releases. Purpose keys come from it by HKDF (RFC 5869). What
is released under a code is HMAC(purpose key, nonce): never derived from the person (45 CFR 164.514(c)).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import platform
import re
import stat
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clinicorpus_errors import UserError

# Known to everybody, so it protects nobody: only for the synthetic hospital.
DEMO_KEY = hashlib.sha256(b"clinicorpus: the public key of the demonstration hospital").digest()


class Keys(NamedTuple):
    """Purpose keys of one release. `id` names the key in manifests and tells nothing about it."""

    id: str
    kind: str
    record: bytes
    split: bytes
    source: bytes
    surrogate: bytes = b""
    """Draws the names and numbers that stand in the place of a patient's own."""
    shift: bytes = b""
    """Draws the days by which a patient's dates are moved."""


# For code that is handed keys and uses none, such as the loading of a detector.
NO_KEYS = Keys(id="", kind="", record=b"", split=b"", source=b"")


def _derive(release_key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"clinicorpus/{purpose}/1".encode()).derive(release_key)


def purpose_keys(release_key: bytes, kind: str) -> Keys:
    """Derive the purpose keys. `kind` is `demo` or `release`."""
    return Keys(
        id=_derive(release_key, "id")[:8].hex(),
        kind=kind,
        record=_derive(release_key, "record"),
        split=_derive(release_key, "split"),
        source=_derive(release_key, "source"),
        surrogate=_derive(release_key, "surrogate"),
        shift=_derive(release_key, "shift"),
    )


def keys_folder() -> Path:
    """Where release keys live."""
    return Path(os.environ.get("CLINICORPUS_KEYS") or Path.home() / ".config" / "clinicorpus" / "keys").expanduser()


def release_key(name: str, *, root: Path) -> tuple[bytes, bool]:
    """The release key called `name`, made at first use. Returns (key, whether it was made now).

    Refuses a key folder inside the workspace, and one that others may read.
    """
    folder = keys_folder().resolve()
    if folder.is_relative_to(root.resolve()):
        raise UserError(
            "the key folder lies inside the workspace",
            value=folder,
            cause="whoever receives the workspace would receive the key",
            next="set CLINICORPUS_KEYS to a folder outside it",
        )
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise UserError("key name is not a file name", value=name)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{name}.key"
        if path.exists():
            open_to_others = stat.S_IMODE(folder.stat().st_mode) & 0o077 or stat.S_IMODE(path.stat().st_mode) & 0o077
            if open_to_others:
                raise UserError(
                    "the key can be read by others", value=path, next=f"chmod 700 {folder} && chmod 600 {path}"
                )
            key, made = path.read_bytes(), False
        else:
            key, made = os.urandom(32), True
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            "the release key cannot be read or made",
            value=f"{folder}: {error.strerror}",
            next="set CLINICORPUS_KEYS to a folder that only you can read and write",
        ) from None
    if len(key) != 32:
        raise UserError("the release key is damaged", value=f"{path}: {len(key)} bytes", cause="a key has 32 bytes")
    return key, made


def keys_named(id: str, kind: str) -> Keys:
    """The purpose keys whose id is `id`: those of the demonstration, or of a key in the key folder. Raises UserError."""
    if kind == "demo":
        return purpose_keys(DEMO_KEY, kind)
    try:
        for path in sorted(keys_folder().glob("*.key")):
            key = path.read_bytes()
            if len(key) == 32 and (found := purpose_keys(key, kind)).id == id:
                return found
    except OSError as error:
        cause = error.strerror
    else:
        cause = f"no key with the id {id} stands there"
    raise UserError(
        "a node cannot read the release key",
        value=f"{keys_folder()} on {platform.node()}",
        cause=cause,
        next="set CLINICORPUS_KEYS to a folder that all nodes see",
    )


def code(key: bytes, nonce: bytes) -> str:
    """The code under which something is released: 128 bits of HMAC-SHA256(purpose key, nonce), in hex."""
    return hmac.digest(key, nonce, "sha256")[:16].hex()
