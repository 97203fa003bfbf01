"""Merges on a tiny checkpoint, end to end through files, against matrix algebra on the state dicts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import InputError
from training.adapters import AdapterRecipe, attach_adapter, save_adapter
from training.merging.merge import MergeReport, merge
from training.merging.options import MergeOptions
from training.support.plain_model import plain_model

MODULE = "model.layers.1.mlp.up_proj"
TOKENS = list(range(3, 60))
KINDS: dict[str, dict[str, Any]] = {"lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True}}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base, an adapter of each kind, and one that OPLoRA trained."""
    import torch

    folder = tmp_path_factory.mktemp("merge")
    base = write_tiny_checkpoint(folder / "base")
    for seed, (kind, options) in enumerate(KINDS.items(), start=1):
        write_tiny_adapter(folder / kind, base, seed=seed, **options)
    model = attach_adapter(plain_model(base), AdapterRecipe(type="oplora", rank=3, alpha=6, preserve_rank=5), seed=4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)))
    save_adapter(model, folder / "oplora", dtype="float32")
    return folder


def run(files: Path, output: Path, *adapters: str, **options: Any) -> MergeReport:
    return merge(files / "base", [files / name for name in adapters], output, MergeOptions(**options))


def tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    [file] = folder.glob("*.safetensors")
    return dict(load_file(file))


def delta_by_hand(files: Path, kind: str) -> Any:
    """Straight from the papers' formulas and the adapter's tensors."""
    state, key = tensors(files / kind), f"base_model.model.{MODULE}.lora_"
    a, b = state[f"{key}A.weight"], state[f"{key}B.weight"]
    if kind == "rslora":
        return 8 / math.sqrt(4) * b @ a
    if kind == "oplora":
        return 6 / 3 * b @ a
    if kind == "lora":
        return 8 / 4 * b @ a
    weight = tensors(files / "base")[f"{MODULE}.weight"]
    directed = weight + 8 / 4 * b @ a
    return state[f"{key}magnitude_vector"].unsqueeze(1) * directed / directed.norm(dim=1, keepdim=True) - weight


def lora_delta(folder: Path) -> Any:
    """What a plain LoRA folder adds: alpha / rank · BA, and nothing else may be in it."""
    state, config = tensors(folder), json.loads((folder / "adapter_config.json").read_text())
    assert not (config["use_rslora"] or config["use_dora"] or config["rank_pattern"] or config["alpha_pattern"])
    a, b = (state[f"base_model.model.{MODULE}.lora_{part}.weight"] for part in "AB")
    assert a.shape[0] == config["r"]
    return config["lora_alpha"] / config["r"] * b @ a


def close(found: Any, wanted: Any) -> bool:
    return bool((found - wanted).abs().max() < 1e-5)


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(torch.tensor([TOKENS])).logits


@pytest.mark.parametrize("kind", [*KINDS, "oplora"])
def test_a_merged_checkpoint_is_exact_for_every_kind(files: Path, tmp_path: Path, kind: str) -> None:
    report = merge(files / "base", [files / kind], tmp_path / "out", MergeOptions("checkpoint"))
    base, merged = tensors(files / "base"), tensors(tmp_path / "out")
    assert base.keys() == merged.keys()
    assert close(merged[f"{MODULE}.weight"], base[f"{MODULE}.weight"] + delta_by_hand(files, kind))
    assert close(merged["model.embed_tokens.weight"], base["model.embed_tokens.weight"])
    assert close(logits(plain_model(tmp_path / "out")) / 10, logits(plain_model(files / "base", files / kind)) / 10)
    assert report.exact
    assert report.check.max_difference_nats <= 1e-4


def test_a_merged_checkpoint_opens_in_the_engine_with_the_base_s_tokenizer(files: Path, tmp_path: Path) -> None:
    from agents.engines.tokenizer import ChatTokenizer

    merge(files / "base", [files / "lora"], tmp_path / "out", MergeOptions("checkpoint"))
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (files / "base" / "tokenizer.json").read_bytes()
    message = [{"role": "user", "content": "x"}]
    assert ChatTokenizer(tmp_path / "out").render_chat(message) == ChatTokenizer(files / "base").render_chat(message)


@pytest.mark.parametrize("kind", ["lora", "rslora", "oplora"])
def test_restated_as_a_plain_lora_the_factors_stay_and_the_update_is_the_same(
    files: Path, tmp_path: Path, kind: str
) -> None:
    report = run(files, tmp_path / "out", kind, how="lora")
    before, after = tensors(files / kind), tensors(tmp_path / "out")
    assert before.keys() == after.keys()
    assert all(close(after[name], tensor) for name, tensor in before.items())
    assert close(lora_delta(tmp_path / "out"), delta_by_hand(files, kind))
    assert report.exact
    alpha = json.loads((tmp_path / "out" / "adapter_config.json").read_text())["lora_alpha"]
    assert alpha == {"lora": 8, "rslora": 8 * math.sqrt(4), "oplora": 6}[kind]


def test_a_lora_out_of_dora_is_the_best_of_its_rank_and_says_how_close_it_came(files: Path, tmp_path: Path) -> None:
    import torch

    report = run(files, tmp_path / "out", "dora", how="lora", rank=12, allow_approximate=True)
    left, values, right = torch.linalg.svd(delta_by_hand(files, "dora").double(), full_matrices=False)
    assert close(lora_delta(tmp_path / "out"), (left[:, :12] * values[:12]) @ right[:12])
    assert not report.exact
    assert report.check.mean_kl_nats > 0
    assert report.rank == 12
    better = run(files, tmp_path / "better", "dora", how="lora", rank=28, allow_approximate=True)
    assert better.check.mean_kl_nats < report.check.mean_kl_nats
    assert better.check.top1_agreement >= report.check.top1_agreement


def test_linear_is_the_average_of_the_deltas_not_of_the_factors(files: Path, tmp_path: Path) -> None:
    report = run(files, tmp_path / "out", "lora", "rslora", "oplora", how="linear")
    wanted = sum(delta_by_hand(files, kind) for kind in ("lora", "rslora", "oplora")) / 3
    assert close(lora_delta(tmp_path / "out"), wanted)
    assert (report.exact, report.rank) == (True, 4 + 4 + 3)
    assert [adapter["weight"] for adapter in report.adapters] == [1 / 3] * 3


def test_linear_takes_weights_of_any_sign(files: Path, tmp_path: Path) -> None:
    run(files, tmp_path / "out", "lora", "rslora", how="linear", weights=(0.5, -0.25))
    wanted = 0.5 * delta_by_hand(files, "lora") - 0.25 * delta_by_hand(files, "rslora")
    assert close(lora_delta(tmp_path / "out"), wanted)


def test_a_checkpoint_of_several_adapters_is_the_weighted_sum_and_takes_dora(files: Path, tmp_path: Path) -> None:
    report = run(files, tmp_path / "out", "rslora", "dora", how="checkpoint", weights=(0.3, 0.6))
    found = tensors(tmp_path / "out")[f"{MODULE}.weight"] - tensors(files / "base")[f"{MODULE}.weight"]
    assert close(found, 0.3 * delta_by_hand(files, "rslora") + 0.6 * delta_by_hand(files, "dora"))
    assert report.exact
    assert "weighted sum" in report.target


def test_svd_of_a_sum_is_its_best_approximation_and_its_target_is_the_sum(files: Path, tmp_path: Path) -> None:
    import torch

    report = run(files, tmp_path / "out", "lora", "dora", how="svd", rank=10, allow_approximate=True)
    wanted = (delta_by_hand(files, "lora") + delta_by_hand(files, "dora")) / 2
    left, values, right = torch.linalg.svd(wanted.double(), full_matrices=False)
    assert close(lora_delta(tmp_path / "out"), (left[:, :10] * values[:10]) @ right[:10])
    assert (report.exact, report.rank) == (False, 10)
    full = run(files, tmp_path / "full", "lora", "dora", how="svd", rank=32)
    assert full.check.top1_agreement == 1
    assert full.check.mean_kl_nats < 1e-6


def test_ties_merges_the_true_deltas_of_mixed_kinds(files: Path, tmp_path: Path) -> None:
    import torch
    from peft.utils.merge_utils import ties

    run(files, tmp_path / "out", "lora", "rslora", "dora", how="ties", density=0.4, rank=32)
    deltas = [delta_by_hand(files, kind) for kind in KINDS]
    assert close(lora_delta(tmp_path / "out"), ties(deltas, torch.ones(3), 0.4))


def test_dare_ties_repeats_for_a_seed_and_says_which(files: Path, tmp_path: Path) -> None:
    options = {"how": "dare_ties", "rank": 32, "density": 0.8}
    reports = [run(files, tmp_path / str(i), "lora", "dora", seed=seed, **options) for i, seed in enumerate((1, 1, 2))]
    contents = [(tmp_path / str(i) / "adapter_model.safetensors").read_bytes() for i in range(3)]
    assert contents[0] == contents[1] != contents[2]
    assert [report.seed for report in reports] == [1, 1, 2]


def test_adapters_of_different_modules_are_merged_where_they_are(files: Path, tmp_path: Path) -> None:
    recipe = AdapterRecipe(type="lora", rank=2, alpha=2, target_modules=["q_proj"])
    save_adapter(attach_adapter(plain_model(files / "base"), recipe, seed=0), tmp_path / "narrow", dtype="float32")
    adapters = [files / "lora", tmp_path / "narrow"]
    report = merge(files / "base", adapters, tmp_path / "out", MergeOptions("linear", (1.0, 1.0)))
    assert report.rank == 6
    assert close(lora_delta(tmp_path / "out"), delta_by_hand(files, "lora"))
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert "up_proj" in config["target_modules"]


def test_in_bfloat16_nothing_is_called_exact(files: Path, tmp_path: Path) -> None:
    import torch

    report = run(files, tmp_path / "out", "lora", how="checkpoint", dtype="bfloat16", allow_approximate=True)
    assert tensors(tmp_path / "out")[f"{MODULE}.weight"].dtype == torch.bfloat16
    assert not report.exact
    assert report.check.max_difference_nats > 1e-4


def test_what_agrees_too_little_is_refused_and_leaves_nothing_unless_it_is_allowed(files: Path, tmp_path: Path) -> None:
    message = r"agreement and a mean KL of .* nats with the adapter as PEFT runs it.*--allow-approximate"
    with pytest.raises(InputError, match=message):
        run(files, tmp_path / "out", "dora", how="lora", rank=1)
    assert list(tmp_path.iterdir()) == []
    report = run(files, tmp_path / "out", "dora", how="lora", rank=1, allow_approximate=True)
    assert report.check.top1_agreement < 0.98


def test_the_report_lies_in_the_folder_and_names_no_path(files: Path, tmp_path: Path) -> None:
    report = run(files, tmp_path / "out", "lora", "rslora", how="linear")
    text = (tmp_path / "out" / "merge.json").read_text()
    written = json.loads(text)
    assert written["check"]["positions"] == report.check.positions > 500
    assert [adapter["kind"] for adapter in written["adapters"]] == ["lora", "rslora"]
    assert str(files) not in text + (tmp_path / "out" / "adapter_config.json").read_text()
    assert str(tmp_path) not in text


def test_the_command_merges_and_prints_the_folder(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from aiac.commands.merge import merge as command

    command(str(files / "base"), [files / "lora", files / "rslora"], "linear", tmp_path / "out", [0.5, 0.5])
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "out")
    assert "largest difference" in printed.err


def test_a_merge_that_was_merged_again_is_still_the_same_adapter(files: Path, tmp_path: Path) -> None:
    run(files, tmp_path / "once", "rslora", how="lora")
    merge(files / "base", [tmp_path / "once"], tmp_path / "twice", MergeOptions("lora"))
    once, twice = (tmp_path / name / "adapter_model.safetensors" for name in ("once", "twice"))
    assert once.read_bytes() == twice.read_bytes()
