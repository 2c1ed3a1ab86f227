"""The patient table on its way to detection: read whole, under the codes that the shards use, into the PHI zone.

The table lies beside the shards, so that its digest is part of the key of every stage that is handed it. Patients of whom
there is no note stay in it under no code: their numbers are looked for in everybody's notes.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from clinicorpus_errors import UserError
from corpus.stage import Json
from deid.known import KnownPatients, load_patient_table
from deid.known.table import read_rows

HOSPITAL = "hospital"
"""In a recipe: the table of the synthetic hospital itself."""
FILE = "patients.known.parquet"


def table_file(wanted: Path | None, hospital: Path | None) -> Path | None:
    """The file of the patient table that a recipe asks for. Raises UserError when it is not there."""
    if wanted is None:
        return None
    if hospital is not None and str(wanted) == HOSPITAL:
        return hospital / "patients.parquet"
    if not wanted.is_file():
        raise UserError("no such patient table", value=wanted, next="check source.patient_table")
    return wanted


def coded(rows: pl.DataFrame, codes: pl.DataFrame) -> tuple[pl.DataFrame, Json]:
    """Rows of the table under patient codes, and counts for the manifest.

    `codes`: patient_id (null where the source names none), patient (the code of the shards), any number of rows a patient.
    Raises UserError when no patient of the table has a note.
    """
    seen = codes.drop_nulls("patient_id").select("patient_id", "patient").unique("patient_id")
    if not seen.height:
        raise UserError(
            "the notes name no patients, so a patient table tells nothing about them", value="source.patient_table",
            next="name the column of the patient in source.fields, or leave the table out",
        )  # fmt: skip
    table = (
        rows.join(seen, on="patient_id", how="left", maintain_order="left")
        .with_columns(patient_id=pl.col("patient").fill_null(""))
        .drop("patient")
        .sort("patient_id", maintain_order=True)
    )
    patients = rows["patient_id"].n_unique()
    with_notes = rows.select("patient_id").unique().join(seen, on="patient_id", how="semi").height
    if not with_notes:
        raise UserError(
            "no patient of the patient table has a note", value=f"{patients} patients in the table, {seen.height} with notes",
            cause="the two use different patient ids", next="export both with the same patient_id",
        )  # fmt: skip
    return table, {"patients": patients, "with_notes": with_notes, "values": rows.height}


def write_known(table: Path, codes: pl.DataFrame, out: Path) -> Json:
    """Read the patient table and write it under the codes of the shards to `out`; give back counts. Raises UserError."""
    rows, counts = coded(read_rows(table), codes)
    rows.write_parquet(out)
    return counts


def open_known(path: Path) -> KnownPatients:
    """What `write_known` wrote, or a patient table of the user's own."""
    if path.name.endswith(FILE):
        return KnownPatients(pl.read_parquet(path))
    return load_patient_table(path)
