"""Generation that keeps to a JSON schema, for an engine that sees the logits: a mask before each token.

llguidance compiles the schema to a grammar and says which tokens may come next. It was chosen over xgrammar, which
vLLM uses, since it needs nothing else: xgrammar asks for torch, transformers and, on Linux, triton.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from typing import Any

from agents.core.errors import EngineError
from agents.support.missing_package import missing_package

JSON_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""As ``json.dumps`` writes. Free white space would let a model that is lost write spaces to the end."""


class SchemaCompiler:
    """Schemas compiled for one tokenizer. ``vocabulary`` is the number of logits a model gives.

    Thread-safe. The tokenizer is prepared when the first schema comes (about a second).
    """

    def __init__(self, tokenizer: Any, vocabulary: int, stop_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._stop_ids = sorted(stop_ids)
        self._lock = threading.Lock()
        self._prepared: Any = None

    def compile(self, schema: dict[str, Any]) -> TokenConstraint:
        """A constraint at its start. Blocks; raises EngineError for a schema that cannot be compiled.

        Raises MissingExtraError without llguidance.
        """
        try:
            from llguidance import LLMatcher
        except ImportError as error:
            raise missing_package(error.name) from None
        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=JSON_STYLE)
            # Silent: its own warnings would go to stderr, past the log.
            matcher = LLMatcher(self._ready_tokenizer(), grammar, log_level=0)
            problem = matcher.get_error() if matcher.is_error() else ""
        except (TypeError, ValueError, RecursionError) as error:
            problem = str(error)
        if problem:
            raise EngineError(f"the JSON schema cannot be compiled: {_one_line(problem)}")
        return TokenConstraint(matcher, self._vocabulary)

    def _ready_tokenizer(self) -> Any:
        from llguidance.hf import from_tokenizer

        with self._lock:
            if self._prepared is None:
                self._prepared = from_tokenizer(self._tokenizer, self._vocabulary, self._stop_ids or None)
            return self._prepared


class TokenConstraint:
    """Where one generation stands in its grammar. When the text is complete, only an end token is allowed."""

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    def masked(self, logits: Any) -> Any:
        """``logits`` [1, vocabulary] with minus infinity for every token that may not come next.

        Raises EngineError when the grammar has become too complex to go on.
        """
        import numpy as np
        import torch

        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = torch.from_numpy(np.unpackbits(bits, count=self._vocabulary, bitorder="little").astype(bool))
        return logits.masked_fill(~allowed.to(logits.device), float("-inf"))

    def accept(self, token: int) -> None:
        """Moves on over ``token``. Raises EngineError when it was not allowed."""
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise EngineError(f"the JSON schema's grammar failed: {_one_line(self._matcher.get_error())}")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
