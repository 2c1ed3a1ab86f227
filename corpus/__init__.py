"""Reads notes, runs the stages in order, writes pretraining and instruction corpora."""
