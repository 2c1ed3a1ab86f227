"""Before any test imports a library."""

import os

from hypothesis import settings

# Hugging Face libraries read this once, when they are imported. The command sets it before it imports them
# (train/offline.py, corpus/zones.py); here the rooms share a process and import in any order.
os.environ["HF_HUB_OFFLINE"] = "1"

# A property is never a timed test: on a busy machine the default of 200 ms fails by chance.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes stay out of the names of tests: what was zipped names the second it was, and the workers must agree on names."""
    return f"{argname} of {len(val)} bytes" if isinstance(val, bytes) else None
