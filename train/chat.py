"""Chat templates: which tokens of a conversation the assistant wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from clinicorpus_errors import UserError

CHATML = """{% for message in messages %}\
{% if message['role'] == 'assistant' %}{{ '<|im_start|>assistant\n' }}\
{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}\
{% else %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endif %}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
"""ChatML with the markers that tell transformers what the assistant wrote. The tiny model's template."""

# TRL carries training templates for 35 families, SmolLM2 is not among them. Its turn, with markers:
_PLAIN_TURN = """{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}"""
_MARKED_TURN = """{% if message['role'] == 'assistant' %}{{ '<|im_start|>assistant
' }}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '
' }}{% else %}""" + _PLAIN_TURN + "{% endif %}"  # fmt: skip

_ASKED, _ANSWERED = "7171", "8282"
_PROBE = [{"role": r, "content": c} for r, c in (("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))]


def set_template(tokenizer: Any, path: str | None, root: Path) -> None:
    """Give the tokenizer the recipe's template, if the recipe names one. Raises UserError if it has none then."""
    if path is not None:
        try:
            tokenizer.chat_template = (root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError("sft.chat_template cannot be read", value=path, cause=type(error).__name__) from None
    if not tokenizer.chat_template:
        raise UserError(
            "the base model has no chat template",
            cause="it is no instruction model; instruction tuning needs to know how a turn begins and ends",
            next="--set sft.chat_template=<file.jinja>, with {% generation %} around the assistant's text",
        )


def _learned(tokenizer: Any, template: str) -> str:
    """What of a probe is marked as the assistant's."""
    probe = [{"role": "user", "content": _ASKED}, {"role": "assistant", "content": _ANSWERED}]
    out = tokenizer.apply_chat_template(
        probe, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = zip(out["input_ids"], out["assistant_masks"], strict=True)
    return str(tokenizer.decode([token for token, mine in marked if mine]))


def training_template(tokenizer: Any) -> str:
    """The tokenizer's chat template with generation markers, rendering the same text.

    Raises UserError when the template knows no roles, when the markers cannot be placed or stand around other text
    than the assistant's, or when they leave out the token that ends a turn: such a model never learns to stop, and
    its loss looks healthy.
    """
    from trl.chat_template_utils import get_training_chat_template, is_chat_template_stop_token_trained

    template = tokenizer.chat_template
    if not isinstance(template, str):
        template = template["default"]
    if "role" not in template:
        raise UserError(
            "the chat template knows no roles",
            cause="it never looks at a message's role, so a model trained with it cannot tell whose turn it is",
            next="--set sft.chat_template=<file.jinja> that writes message['role'] or something for each role",
        )
    if re.search(r"\{%-?\s*generation\s*-?%\}", template):
        marked = template
    elif _PLAIN_TURN in template:
        marked = template.replace(_PLAIN_TURN, _MARKED_TURN)
    else:
        try:
            marked = get_training_chat_template(tokenizer)
        except ValueError:
            raise UserError(
                "the chat template does not tell what the assistant wrote",
                cause="no {% generation %} markers, and no training template is known for this family",
                next="--set sft.chat_template=<file.jinja>, with {% generation %} around the assistant's text",
            ) from None
    if tokenizer.apply_chat_template(_PROBE, tokenize=False) != tokenizer.apply_chat_template(
        _PROBE, tokenize=False, chat_template=marked
    ):
        raise UserError("the training chat template renders other text than the model's own")
    learned = _learned(tokenizer, marked)
    if _ASKED in learned or _ANSWERED not in learned:
        raise UserError(
            "the chat template marks other text than the assistant's",
            value="the user's turn" if _ASKED in learned else "nothing of the assistant's turn",
            cause="{% generation %} stands around more, or less, than what message['role'] == 'assistant' says",
            next="move {% generation %} and {% endgeneration %} around the assistant's text",
        )
    if not is_chat_template_stop_token_trained(tokenizer, chat_template=marked):
        raise UserError(
            "the chat template leaves the end of the assistant's turn out of the loss",
            cause="the end-of-turn token stands outside {% generation %}",
            next="move {% endgeneration %} behind it",
        )
    return str(marked)
