"""Text to train the de-identification model on: templates written by hand, filled with drawn people and places.

fill.py      slots to values, with the offsets of what is an identifier
values.py    the values: names in all their written forms, facilities, employers, addresses, dates, numbers
annotated.py annotated notes with their identifiers drawn anew
annotated/   notes and snippets with marked identifiers, by authors 1 to 13, 46, 53 to 55, 57 and 59
judged/      the same by other authors: on them the judge of the model is grown, which must not know the model's own text
*.txt        templates by several authors; a slot is a word in braces
"""

from pathlib import Path

from synthetic.training.fill import literal, texts, training_digest
from synthetic.training.values import Vocabulary

__all__ = ["JUDGED", "Vocabulary", "literal", "texts", "training_digest"]

JUDGED = Path(__file__).parent / "judged"
