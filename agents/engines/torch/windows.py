"""How far back a model's layers attend: to everything, or to a window of the last tokens."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from agents.core.errors import EngineError

FULL, SLIDING = "full_attention", "sliding_attention"


@dataclass(frozen=True)
class Windows:
    """The sliding window of a model in tokens, a token's own place among them; None attends to everything.

    ``layer_types`` are those that the model takes a mask of its own for; without any, all layers take the same mask.
    """

    tokens: int | None = None
    layer_types: frozenset[str] = frozenset()

    def masks(self, causal: Any, queries: Any, keys: Any) -> Any:
        """Return the mask, or one for each type of layer, from a boolean mask [..., queries, keys].

        ``queries`` and ``keys`` are the tokens' positions.
        """
        if self.tokens is None:
            return causal
        near = causal & (queries[:, None] - keys[None, :] < self.tokens)
        return {kind: near if kind == SLIDING else causal for kind in self.layer_types} or near


def read_windows(config: Any) -> Windows:
    """Return the windows of a model with this text configuration.

    Raises EngineError for layers of other types (chunked, linear, convolutions): a mask cannot say what they do.
    """
    # A model reads what its own configuration class names; anything else in config.json is kept and not read.
    known = inspect.signature(type(config)).parameters
    types = frozenset((getattr(config, "layer_types", None) or []) if "layer_types" in known else [])
    if others := types - {FULL, SLIDING}:
        raise EngineError(
            f"serve this model with AIAC_ENGINE=vllm: the transformers engine knows no layers of type "
            f"{', '.join(sorted(others))}"
        )
    tokens = getattr(config, "sliding_window", None) if "sliding_window" in known else None
    if tokens is None or not getattr(config, "use_sliding_window", True) or (types and SLIDING not in types):
        return Windows()
    return Windows(int(tokens), types)
