"""A word-level tokenizer for the world's captions, and prompts for its categories."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from brainalign.errors import InputError

_PAD, _UNKNOWN, _START, _END = "<pad>", "<unknown>", "<start>", "<end>"


def build_tokenizer(captions: Sequence[str]) -> PreTrainedTokenizerFast:
    """Give every word of the captions a number.

    Parameters
    ----------
    captions : sequence of str
        Training captions.

    Returns
    -------
    tokenizer : PreTrainedTokenizerFast
        Lower case, split at white space and punctuation, with start and end; loads offline by
        ``AutoTokenizer`` once saved.
    """
    splitter = pre_tokenizers.Whitespace()
    words = {word for text in captions for word, _ in splitter.pre_tokenize_str(text.lower())}
    vocabulary = {
        word: number for number, word in enumerate([_PAD, _UNKNOWN, _START, _END, *sorted(words)])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = splitter
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}",
        special_tokens=[(_START, vocabulary[_START]), (_END, vocabulary[_END])],
    )
    longest = max(len(tokenizer.encode(text).ids) for text in captions)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        bos_token=_START,
        eos_token=_END,
        model_max_length=longest,
        model_input_names=["input_ids", "attention_mask"],
    )


def mirror_caption(caption: str) -> str:
    """Describe the mirror image: exchange the words left and right.

    Parameters
    ----------
    caption : str
        Such as ``a red car at the upper left``.

    Returns
    -------
    mirrored : str
        Such as ``a red car at the upper right``.
    """
    other = {"left": "right", "right": "left"}
    return re.sub(r"\b(left|right)\b", lambda match: other[match[0]], caption)


def build_prompts(
    captions: Sequence[str], categories: Sequence[str], n_templates: int = 256
) -> dict[str, list[str]]:
    """Write prompts for each category by exchanging the category in known captions.

    Parameters
    ----------
    captions : sequence of str
        Training captions.
    categories : sequence of str
        Names of categories.
    n_templates : int
        So many captions, the shortest first, serve as templates.

    Returns
    -------
    prompts : dict of str to list of str
        Per category the same templates in the same order.

    Raises
    ------
    InputError
        If no caption names exactly one category.

    Notes
    -----
    The ensemble of prompts of Radford et al. (2021), whose templates here are captions, since
    a text tower of this size knows no other sentences.
    """
    pattern = re.compile(
        r"\b(" + "|".join(re.escape(name) for name in sorted(categories, key=len)[::-1]) + r")\b"
    )
    templates = sorted(
        {pattern.sub("{}", text) for text in captions if len(pattern.findall(text)) == 1}
    )
    if not templates:
        raise InputError(
            "no caption names exactly one category",
            where="captions",
            expected=f"one of {', '.join(sorted(categories))}",
        )
    chosen = sorted(templates, key=len)[:n_templates]
    return {
        name: [template.replace("{}", name) for template in chosen] for name in sorted(categories)
    }
