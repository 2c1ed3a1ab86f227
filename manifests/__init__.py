"""The record of what was built: schema, seal, chain, audit, card and report.

A manifest states what ran and what was measured; it never says that a corpus *is* de-identified
(see docs/privacy.md). Nothing in this room reads a note.
"""

from manifests.canonical import canonical, sha256_bytes, sha256_file, write_atomic
from manifests.corpus_manifest import CorpusManifest
from manifests.environment import environment
from manifests.verify import load, strays, verify
from manifests.versions import corpus_folder, newest, predecessor, sealed, version_folder

__all__ = [
    "CorpusManifest",
    "canonical",
    "corpus_folder",
    "environment",
    "load",
    "newest",
    "predecessor",
    "sealed",
    "sha256_bytes",
    "sha256_file",
    "strays",
    "verify",
    "version_folder",
    "write_atomic",
]
