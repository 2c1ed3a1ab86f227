"""Evaluation: so far the general text on which forgetting is measured (general_en_v1.txt)."""
