"""Finds identifiers in clinical notes and replaces them. Knows nothing of corpora and is useful alone."""
