"""From a patient's or note's identity to its nonce: the only link back, and it stays in the PHI zone.

A nonce is 16 random bytes, drawn when the identity is first seen. Deleting it cuts the link for good. For the
synthetic hospital and for text that was public before, nonces can be seeded, so that two people get the same
bytes.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

CHUNK = 500  # bound variables in one statement; sqlite allows 999 in its oldest builds


class Crosswalk:
    """Nonces by (namespace, kind, identity). One file, transactions by sqlite; deleted rows are overwritten."""

    def __init__(self, path: Path, *, seed: int | None = None) -> None:
        self._seed = None if seed is None else f"clinicorpus crosswalk {seed}".encode()
        self._db = sqlite3.connect(path)
        self._db.execute("pragma secure_delete = on")
        self._db.execute("pragma journal_mode = wal")
        self._db.execute(
            "create table if not exists nonce (namespace text, kind text, identity text, nonce blob not null,"
            " primary key (namespace, kind, identity)) without rowid"
        )

    def nonces(self, namespace: str, kind: str, identities: Sequence[str]) -> dict[str, bytes]:
        """The nonce of every identity, drawn now for those not seen before."""
        wanted = sorted(set(identities))
        if self._seed is not None:
            # Not stored: whoever has the seed can compute them, so there is no link to keep or to cut.
            return {
                identity: hmac.digest(self._seed, f"{namespace}\0{kind}\0{identity}".encode(), "sha256")[:16]
                for identity in wanted
            }
        found = self._stored(namespace, kind, wanted)
        new = {identity: os.urandom(16) for identity in wanted if identity not in found}
        self._db.executemany(
            "insert into nonce values (?, ?, ?, ?)",
            [(namespace, kind, identity, nonce) for identity, nonce in new.items()],
        )
        self._db.commit()
        return found | new

    def known(self, namespace: str, kind: str, identities: Sequence[str]) -> dict[str, bytes]:
        """The nonces of those identities that have one; none is drawn."""
        if self._seed is not None:
            return self.nonces(namespace, kind, identities)
        return self._stored(namespace, kind, sorted(set(identities)))

    def _stored(self, namespace: str, kind: str, wanted: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), CHUNK):
            part = wanted[start : start + CHUNK]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"select identity, nonce from nonce where namespace = ? and kind = ? and identity in ({marks})",
                (namespace, kind, *part),
            )
            found.update(rows.fetchall())
        return found

    def close(self) -> None:
        self._db.close()
