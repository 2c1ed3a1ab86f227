"""The synthetic hospital: patients, notes, and gold of every planted identifier, copy and junk note."""

from synthetic.hospital import build

__all__ = ["build"]
