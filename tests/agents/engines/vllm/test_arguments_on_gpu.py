"""The configuration that vLLM's own platforms for ROCm and CUDA make of our arguments, without such a card."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
ROOT = Path(__file__).resolve().parents[4]
START_SECONDS = 240
"""For the imports of vLLM, on a machine that is busy."""
QWEN_14B = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 48,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "vocab_size": 152064,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "torch_dtype": "bfloat16",
}
COMMON = {
    "start_method": "spawn",
    "dtype": "torch.bfloat16",
    "quantization": None,
    "max_model_len": 4096,
    "max_num_seqs": 256,
    "chunked_prefill": True,
    "prefix_caching": True,
    "executor": "uni",
    "world_size": 1,
    "worker": "vllm.v1.worker.gpu_worker.Worker",
    "compiled": "VLLM_COMPILE",
    "lora": None,
}


def configurations(kind: str, checkpoint: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "gpu_platforms.py"), kind, str(checkpoint)],
        # vLLM's own choice is to fork; the user's own value, where there is one, would stay.
        env={name: value for name, value in os.environ.items() if name != "VLLM_WORKER_MULTIPROC_METHOD"}
        | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("kind", "batched"), [("rocm", 16384), ("cuda", 8192)])
def test_a_gpu_has_its_own_step_and_processes_that_are_spawned(kind: str, batched: int, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN_14B))
    assert configurations(kind, tmp_path) == {
        "as it is": COMMON | {"max_num_batched_tokens": batched},
        "in steps of 4096 tokens": COMMON | {"max_num_batched_tokens": 4096},
    }
