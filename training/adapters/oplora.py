"""OPLoRA: LoRA whose update leaves the top singular directions of each frozen weight alone.

"OPLoRA: Orthogonal Projection LoRA Prevents Catastrophic Forgetting during Parameter-Efficient Fine-Tuning",
arXiv 2510.13003. With U_k and V_k the top-k singular vectors of a frozen weight W [out, in],

    delta = scaling · (I − U_k U_kᵀ) B A (I − V_k V_kᵀ)

so that (W + delta) V_k = W V_k and U_kᵀ (W + delta) = U_kᵀ W. Here PEFT's own LoRA layers are kept and their factors
are parametrised: what a layer calls its weight is the projected factor, and gradients pass through the projection to
the raw one. A training checkpoint holds the raw factors under names no LoRA loader takes for plain ones
(``….parametrizations.weight.original``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from agents.core.errors import InputError

RAW = ".parametrizations.weight.original"


def project_factors(model: Any, preserve_rank: int) -> None:
    """Parametrises every LoRA layer of the PeftModel ``model`` in place.

    Raises InputError when ``preserve_rank`` covers the whole of a weight's smaller side.
    """
    from peft.tuners.lora import LoraLayer
    from torch.nn.utils.parametrize import register_parametrization

    projection = _projection_class()
    for name, layer in model.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        weight = layer.get_base_layer().weight.detach()
        if preserve_rank >= min(weight.shape):
            short = name.removeprefix("base_model.model.")
            raise InputError("preserve_rank", str(preserve_rank), f"at most {min(weight.shape) - 1}, for {short}")
        left, right = top_singular_vectors(weight, preserve_rank)
        for adapter in layer.lora_A:
            register_parametrization(layer.lora_A[adapter], "weight", projection(right, side=1))
            register_parametrization(layer.lora_B[adapter], "weight", projection(left, side=0))


def projected_state(model: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    """``state`` (of ``model``, gathered where it was sharded) with raw factors replaced by projected ones.

    They come under the names of plain LoRA factors. A state without raw factors is returned as it is.
    """
    import torch

    plain = {}
    for key, tensor in state.items():
        owner = key.removesuffix(RAW)
        if owner != key:
            with torch.no_grad():
                tensor = model.get_submodule(f"{owner}.parametrizations.weight")[0](tensor)
            key = f"{owner}.weight"
        plain[key] = tensor
    return plain


def top_singular_vectors(matrix: Any, count: int) -> tuple[Any, Any]:
    """Orthonormal bases, float32 [out, count] and [in, count], of the top left and right singular subspaces.

    Exact up to rounding, by the eigenvectors of the smaller Gram matrix in float64: on SmolLM2's weights two to three
    times quicker than a singular value decomposition. Where singular values coincide or vanish, any of the bases
    that are then right is returned.
    """
    import torch

    wide = matrix.shape[0] <= matrix.shape[1]
    tall = (matrix.T if wide else matrix).double()
    _, vectors = torch.linalg.eigh(tall.T @ tall)
    small = vectors[:, -count:].flip(-1)
    large, _ = torch.linalg.qr(tall @ small)
    left, right = (small, large) if wide else (large, small)
    return left.float(), right.float()


@cache
def _projection_class() -> Any:
    import torch
    from torch import nn

    class OrthogonalProjection(nn.Module):  # type: ignore[misc]
        """Takes the span of ``basis`` out of one side of a factor: 0 out of its columns, 1 out of its rows."""

        basis: Any

        def __init__(self, basis: Any, side: int) -> None:
            super().__init__()
            # Not in the state: it follows from the frozen weight, and an exported adapter has no use for it.
            self.register_buffer("basis", basis.contiguous(), persistent=False)
            self.side = side

        def forward(self, factor: Any) -> Any:
            # Autocast would multiply in bfloat16, and the rest would be orthogonal to three digits only.
            with torch.autocast(factor.device.type, enabled=False):
                basis, exact = self.basis.float(), factor.float()
                if self.side == 0:
                    return (exact - basis @ (basis.T @ exact)).to(factor.dtype)
                return (exact - (exact @ basis) @ basis.T).to(factor.dtype)

    return OrthogonalProjection
