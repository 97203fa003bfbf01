"""What a PyTorch model computes in one go: a batch of the token tree, or a generation token by token."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

from agents.engines.protocol import Generation
from agents.engines.torch.jobs import GenerateJob
from agents.engines.torch.token_tree import Layout, Run
from agents.engines.torch.windows import Windows


def forward(model: Any, windows: Windows, layout: Layout, places: list[int]) -> Any:
    """Logits in float32, [len(places), vocabulary], at ``places`` of the fresh tokens; stores the keys and values."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    if layout.cached:
        for layer, pairs in enumerate(zip(*(run.key_values or [] for run in layout.cached), strict=True)):
            cache.update(torch.cat([k for k, _ in pairs], dim=2), torch.cat([v for _, v in pairs], dim=2), layer)
    inputs = {name: tensor.to(model.device) for name, tensor in packed_inputs(layout).items()}
    positions = inputs["position_ids"][0]
    above = [*(torch.arange(run.start, run.end, device=model.device) for run in layout.cached), positions]
    output = model(
        **{**inputs, "attention_mask": windows.masks(inputs["attention_mask"], positions, torch.cat(above))},
        use_cache=True,
        logits_to_keep=torch.tensor(places or [0], device=model.device),
        **{cache_argument(model): cache},
    )
    for run, offset in layout.fresh.items():
        if run.keep:
            _store(run, cache, layout.n_cached + offset)
    return output.logits[0].float()


def packed_inputs(layout: Layout) -> dict[str, Any]:
    """A model's inputs for the fresh tokens of a batch as one sequence.

    Ids and positions are [1, fresh]; the mask is boolean, [1, 1, fresh, cached + fresh], and of four dimensions, so
    that transformers' attention functions take it as it is. It knows no windows: ``Windows.masks`` does.
    """
    import torch

    ids = torch.empty(1, layout.n_fresh, dtype=torch.long)
    positions = torch.empty(1, layout.n_fresh, dtype=torch.long)
    mask = torch.zeros(1, 1, layout.n_fresh, layout.n_cached + layout.n_fresh, dtype=torch.bool)
    for run, offset in layout.fresh.items():
        ids[0, offset : offset + len(run.tokens)] = torch.tensor(run.tokens)
        positions[0, offset : offset + len(run.tokens)] = torch.arange(run.start, run.end)
    for rows, columns, causal in layout.blocks():
        block = torch.ones(rows.stop - rows.start, columns.stop - columns.start, dtype=torch.bool)
        mask[0, 0, rows, columns] = block.tril() if causal else block
    return {"input_ids": ids, "position_ids": positions, "attention_mask": mask}


def cache_argument(model: Any) -> str:
    """What the model's forward calls its cache: transformers renamed ``past_key_values`` in 5.24."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _store(run: Run, cache: Any, offset: int) -> None:
    stop = offset + len(run.tokens)
    # Cloned: a view would keep the whole batch's tensors alive.
    run.key_values = [(kv.keys[:, :, offset:stop].clone(), kv.values[:, :, offset:stop].clone()) for kv in cache.layers]


def generate(model: Any, job: GenerateJob, piece_tokens: int) -> Generator[None, None, Generation]:
    """Reads the prompt in pieces, then one token a step. Returns the Generation (as the iterator's value)."""
    import torch
    from transformers import DynamicCache, TopPLogitsWarper

    device = model.device
    random = torch.Generator(device=device)
    if job.seed is not None:
        random.manual_seed(job.seed)
    else:
        random.seed()
    nucleus = TopPLogitsWarper(job.top_p) if job.top_p < 1.0 else None
    cache = DynamicCache()
    carried = {cache_argument(model): cache}
    generated: list[int] = []
    unread = list(job.prompt)
    while True:
        piece, unread = unread[:piece_tokens], unread[piece_tokens:]
        with torch.inference_mode():
            ids = torch.tensor([piece], device=device)
            output = model(input_ids=ids, use_cache=True, logits_to_keep=1, **carried)
            if not unread:
                scores = output.logits[:, -1].float()
                if job.constraint is not None:
                    scores = job.constraint.masked(scores)
                if job.temperature > 0:
                    scores = scores / job.temperature
                    scores = nucleus(ids, scores) if nucleus else scores
                    token = int(torch.multinomial(scores.softmax(-1), 1, generator=random))
                else:
                    token = int(scores.argmax(-1))
        if not unread:
            if token in job.stop_ids:
                return Generation(tuple(generated), "stop")
            if job.constraint is not None:
                job.constraint.accept(token)
            generated.append(token)
            if len(generated) >= job.max_tokens:
                return Generation(tuple(generated), "length")
            unread = [token]
        yield
