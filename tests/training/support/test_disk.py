"""The disk watch predicts a save's size, refuses what does not fit, and says what fills the caches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.errors import DiskSpaceError
from training.support.disk import SAVE_OVERHEAD_BYTES, cache_usage, predict_save_bytes, readable_bytes, require_disk

GB = 10**9


def fill(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


@pytest.mark.parametrize(("dtype", "dtype_bytes"), [("float32", 4), ("bfloat16", 2)])
def test_the_prediction_is_what_a_real_adapter_and_its_optimizer_take(
    tmp_path: Path, dtype: str, dtype_bytes: int
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    write_tiny_checkpoint(tmp_path / "model")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=getattr(torch, dtype))
    config = LoraConfig(r=64, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, config, autocast_adapter_dtype=False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    params = sum(parameter.numel() for parameter in trained)

    def written(folder: Path) -> int:
        return sum(file.stat().st_size for file in folder.iterdir())

    folder = tmp_path / "checkpoint"
    model.save_pretrained(folder)
    spare = 1 << 20  # the headers of the files and the adapter's configuration
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    tensors = predict_save_bytes(params, dtype_bytes) - SAVE_OVERHEAD_BYTES
    assert tensors <= written(folder) < tensors + spare


def test_the_prediction_grows_with_parameters_and_bytes() -> None:
    assert predict_save_bytes(1_000_000, 4) == 12_000_000 + SAVE_OVERHEAD_BYTES
    assert predict_save_bytes(1_000_000, 2) == 6_000_000 + SAVE_OVERHEAD_BYTES


def test_a_save_that_fits_exactly_passes_and_one_byte_more_does_not(tmp_path: Path) -> None:
    require_disk(tmp_path, 3, 2, caches=[], free_bytes=lambda folder: 5)
    with pytest.raises(DiskSpaceError):
        require_disk(tmp_path, 4, 2, caches=[], free_bytes=lambda folder: 5)


def test_the_error_says_what_is_needed_free_and_in_reserve_and_what_fills_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name, size in (("small", 1_000_000), ("large", 9_000_000), ("medium", 4_000_000), ("tiny", 1_000)):
        fill(cache / "models" / name / "model.safetensors", size)
    with pytest.raises(DiskSpaceError) as caught:
        require_disk(tmp_path, 3 * GB, 2 * GB, caches=[cache, tmp_path / "absent"], free_bytes=lambda folder: 1 * GB)
    assert str(caught.value) == (
        f"the disk of {tmp_path}: found 1.0 GB free; expected at least 5.0 GB (3.0 GB to write and 2.0 GB in reserve); "
        f"{cache} holds 14 MB: models/large 9 MB, models/medium 4 MB, models/small 1 MB …"
    )


def test_a_real_disk_is_measured_where_the_folder_will_be(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet" / "there"
    require_disk(folder, 1, 0, caches=[])
    with pytest.raises(DiskSpaceError, match="free; expected at least"):
        require_disk(folder, 1 << 60, 0, caches=[])
    assert not folder.parent.exists()


def test_usage_is_by_model_and_the_biggest_is_first(tmp_path: Path) -> None:
    fill(tmp_path / "models" / "a" / "model.safetensors", 100)
    fill(tmp_path / "models" / "a" / "tokenizer" / "tokenizer.json", 11)
    fill(tmp_path / "hub" / "models--x--y" / "blobs" / "sha", 500)
    fill(tmp_path / "version.txt", 7)
    assert cache_usage(tmp_path) == [("hub/models--x--y", 500), ("models/a", 111), (".", 7)]
    assert cache_usage(tmp_path / "absent") == []


def test_the_links_of_a_hub_snapshot_do_not_count_a_blob_twice(tmp_path: Path) -> None:
    model = tmp_path / "hub" / "models--x--y"
    fill(model / "blobs" / "sha", 500)
    (model / "snapshots").mkdir()
    (model / "snapshots" / "model.safetensors").symlink_to(model / "blobs" / "sha")
    (tmp_path / "hub" / "elsewhere").symlink_to(model)
    assert cache_usage(tmp_path) == [("hub/models--x--y", 500)]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 MB"), (2_400_000, "2 MB"), (10**9, "1.0 GB"), (578 * GB, "578.0 GB")]
)
def test_bytes_are_shown_in_powers_of_ten(size: int, text: str) -> None:
    assert readable_bytes(size) == text


def test_the_caches_are_the_model_store_and_the_hubs(tmp_path: Path) -> None:
    code = "from training.support.disk import default_caches; print(*default_caches())"
    environment = {**os.environ, "AIAC_CACHE_DIR": str(tmp_path / "store"), "HF_HOME": str(tmp_path / "hub")}
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(tmp_path / "store"), str(tmp_path / "hub")]
