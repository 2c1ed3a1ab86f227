"""Text to train the de-identification model on: templates written by hand, filled with drawn people and places.

fill.py      slots to values, with the offsets of what is an identifier
values.py    the values: names in all their written forms, facilities, employers, addresses, dates, numbers
*.txt        templates by several authors; a slot is a word in braces
"""

from synthetic.training.fill import texts, training_digest
from synthetic.training.values import Vocabulary

__all__ = ["Vocabulary", "texts", "training_digest"]
