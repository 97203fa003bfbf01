"""Hashes of a tokenizer and a chat template, by what they do and not by how their files are written.

Golden probes are token ids: a text that is rendered or split otherwise passes them. The files of one tokenizer differ
between versions of the libraries that write them (merges as pairs or as text, new fields with defaults), so a hash of
bytes would refuse honest machines. Hashed are the tables that ids come from, and the ids of texts that reach the rest.
"""

from __future__ import annotations

import hashlib
import json

from agents.core.tokenizer import Tokenizer
from agents.engines.tokenizer import ChatTokenizer

SAMPLES = (
    "The quick brown fox jumps over the lazy dog. THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG!",
    "Question: If 12,345.67 + 89 = x, what's x?\n\nChoices:\nA) 12\nB) 3.5\nC) -7\nD) 1e-9\nAnswer: A B C D E F",
    "  two  spaces\tand\ttabs \n\n\n new lines \r\n and a no-break\u00a0space, e.g. don't; it'll we've I'm",
    "for i in range(10): print(f'{i:>3}', a[i] != b, {'k': \"v\"})  # 100% <b>&amp;</b> https://example.org/?q=1#2",
    "naïve café Ångström e\u0301 \ufb01ne ①② ½ Ⅷ İi ẞß \u1112\u1161\u11ab 東京都 中文字符 ไทย العربية עברית हिन्दी",
    "\U0001f642 \U0001f469\u200d\U0001f467 \ufeff\u200b \U0001d4b3 \x00\x1f\x7f",
    "<s> </s> <|im_start|>user\nhi<|im_end|> [CLS] [SEP] [MASK] [UNK] <unk> <pad> <think> </think> <tool_call>",
    "antidisestablishmentarianism 0123456789 1000000 3141592653589793 ab12cd CamelCaseWord snake_case_word",
)
"""Texts whose ids depend on the normalizer, the pre-tokenizer and the added tokens, not on tables alone."""


def tokenizer_hashes(tokenizer: Tokenizer) -> dict[str, str]:
    """Return the fields of ``agents.core.manifest.Base`` that name a tokenizer; none for one that has no files."""
    if not isinstance(tokenizer, ChatTokenizer):
        return {}
    return {"tokenizer_sha256": tokenizer_sha256(tokenizer), "template_sha256": template_sha256(tokenizer)}


def tokenizer_sha256(tokenizer: ChatTokenizer) -> str:
    """Return the hash of vocabulary, merges, added tokens and what becomes of ``SAMPLES``.

    It takes 0.13 s for the 49,152 tokens of SmolLM2, so lines are hashed and not JSON, which takes 0.4 s.
    """
    backend = json.loads(tokenizer.hf.backend_tokenizer.to_str())
    model, ids = backend["model"], tokenizer.hf.backend_tokenizer.get_vocab()
    # A unigram model has a score for each token, and libraries write a merge as a pair or as one text.
    scores = model["vocab"] if isinstance(model.get("vocab"), list) else []
    merges = (merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges") or [])
    digest = hashlib.sha256()
    for part in (
        (f"{ids[token]} {token}" for token in sorted(ids, key=ids.__getitem__)),
        (f"{token} {score!r}" for token, score in scores),
        merges,
        sorted(f"{token['id']} {token['content']}" for token in backend["added_tokens"]),
        (f"{tokenizer.hf.encode(text, add_special_tokens=False)}" for text in SAMPLES),
        [str(model["type"])],
    ):
        digest.update("\n".join([*part, ""]).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def template_sha256(tokenizer: ChatTokenizer) -> str:
    """Return the hash of the chat template's text, and of the control tokens that it names by variables."""
    template = tokenizer.hf.chat_template
    texts = template if isinstance(template, dict) else {"default": template}
    plain = {name: text.replace("\r\n", "\n").rstrip("\n") for name, text in texts.items()}
    names = [name for name in ("bos_token", "eos_token") if any(name in text for text in plain.values())]
    tokens = {name: str(getattr(tokenizer.hf, name)) for name in names}
    return hashlib.sha256(json.dumps({"texts": plain, "tokens": tokens}, sort_keys=True).encode()).hexdigest()
