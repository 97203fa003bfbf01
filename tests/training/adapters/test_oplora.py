"""OPLoRA: what is trained stays off the top singular directions, and exports as a plain LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.errors import InputError
from training.adapters import AdapterRecipe, attach_adapter, save_adapter
from training.adapters.oplora import top_singular_vectors

PRESERVED = 6
RECIPE = AdapterRecipe(type="oplora", rank=4, alpha=8, preserve_rank=PRESERVED)
PROMPT = list(range(3, 40))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("oplora") / "Tiny")


def attached(checkpoint: Path, recipe: AdapterRecipe = RECIPE) -> Any:
    import torch

    from agents.engines.torch.engine import load_model

    return attach_adapter(load_model(checkpoint, torch.float32), recipe, seed=0)


def train(model: Any, steps: int = 4) -> list[float]:
    import torch

    tokens = torch.tensor([PROMPT])
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02, weight_decay=0.01)
    losses = []
    model.train()
    for _ in range(steps):
        optimiser.zero_grad()
        loss = model(tokens, labels=tokens).loss
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    model.eval()
    return losses


def updates(model: Any) -> list[tuple[Any, Any]]:
    """Each adapted module's frozen weight and its update, both [out, in]."""
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    return [(layer.get_base_layer().weight.detach(), layer.get_delta_weight("default").detach()) for layer in layers]


def assert_orthogonal(weight: Any, delta: Any, tolerance: float) -> None:
    import torch

    left, _, right = torch.linalg.svd(weight.double())
    delta = delta.double()
    assert delta.abs().max() > 1e-3
    assert (left[:, :PRESERVED].T @ delta).abs().max() < tolerance
    assert (delta @ right[:PRESERVED].T).abs().max() < tolerance


def test_after_training_the_update_is_orthogonal_to_the_preserved_directions_on_both_sides(checkpoint: Path) -> None:
    model = attached(checkpoint)
    losses = train(model)
    assert losses[-1] < losses[0]
    assert len(updates(model)) == 21
    for weight, delta in updates(model):
        assert_orthogonal(weight, delta, 1e-5)


def test_the_preserved_singular_triples_of_the_merged_weight_are_those_of_the_base(checkpoint: Path) -> None:
    import torch

    model = attached(checkpoint)
    train(model)
    for weight, delta in updates(model):
        left, values, right = torch.linalg.svd(weight)
        merged = weight + delta
        kept = merged @ right[:PRESERVED].T - left[:, :PRESERVED] * values[:PRESERVED]
        assert kept.abs().max() < 1e-4


def test_autocast_does_not_coarsen_the_projection(checkpoint: Path) -> None:
    import torch

    model = attached(checkpoint)
    train(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer = model.base_model.model.model.layers[0].mlp.up_proj
        a = layer.lora_A["default"].weight.detach()
    _, _, right = torch.linalg.svd(layer.get_base_layer().weight.detach())
    assert (a @ right[:PRESERVED].T).abs().max() < 1e-5


def test_it_exports_as_a_plain_lora_with_the_same_logits(checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    from training.support.plain_model import plain_model

    model = attached(checkpoint)
    train(model)
    folder = save_adapter(model, tmp_path / "adapter", dtype="float32")
    names = set(load_file(folder / "adapter_model.safetensors"))
    assert all(name.endswith(("lora_A.weight", "lora_B.weight")) for name in names)
    tokens = torch.tensor([PROMPT])
    with torch.inference_mode():
        expected = model(tokens).logits
        found = plain_model(checkpoint, folder)(tokens).logits
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_training_checkpoint_of_peft_resumes_with_the_raw_factors(checkpoint: Path, tmp_path: Path) -> None:
    import torch

    model = attached(checkpoint)
    train(model)
    model.save_pretrained(tmp_path / "step")
    resumed = attached(checkpoint)
    resumed.load_adapter(str(tmp_path / "step"), "default", is_trainable=True)
    before, after = dict(model.named_parameters()), dict(resumed.named_parameters())
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert train(model) == train(resumed)


@pytest.mark.filterwarnings("ignore:.gradient_checkpointing_enable. is deprecated:FutureWarning")
def test_gradient_checkpointing_changes_no_gradient(checkpoint: Path) -> None:
    import torch

    plain, checkpointed = attached(checkpoint), attached(checkpoint)
    checkpointed.gradient_checkpointing_enable({"use_reentrant": False})
    for model in (plain, checkpointed):
        train(model, steps=2)
    for (name, one), (_, other) in zip(plain.named_parameters(), checkpointed.named_parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6), name


def test_a_preserve_rank_that_leaves_nothing_to_learn_names_the_module(checkpoint: Path) -> None:
    with pytest.raises(InputError, match=r"preserve_rank: found 16; expected at most 15, for .*k_proj"):
        attached(checkpoint, AdapterRecipe(type="oplora", rank=4, alpha=8))


@pytest.mark.parametrize("shape", [(20, 33), (33, 20), (24, 24)])
def test_top_singular_vectors_span_what_the_singular_value_decomposition_gives(shape: tuple[int, int]) -> None:
    import torch

    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    left, right = top_singular_vectors(matrix, 7)
    u, _, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    assert torch.allclose((left @ left.T).double(), u[:, :7] @ u[:, :7].T, atol=1e-6)
    assert torch.allclose((right @ right.T).double(), vh[:7].T @ vh[:7], atol=1e-6)


def test_top_singular_vectors_of_a_matrix_of_lower_rank_are_still_orthonormal() -> None:
    import torch

    matrix = torch.outer(torch.arange(1.0, 9.0), torch.arange(1.0, 6.0))
    for basis in top_singular_vectors(matrix, 3):
        assert torch.allclose(basis.T @ basis, torch.eye(3), atol=1e-5)
