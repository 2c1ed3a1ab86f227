"""Before any test imports a library."""

import os

# Hugging Face libraries read this once, when they are imported. The command sets it before it imports them
# (train/offline.py, corpus/zones.py); here the rooms share a process and import in any order.
os.environ["HF_HUB_OFFLINE"] = "1"
