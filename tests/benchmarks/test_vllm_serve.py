"""The command line of a plain `vllm serve`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.vllm_serve import command_line


def test_vllm_serve_gets_the_arguments_of_the_engine() -> None:
    arguments = {"model": "m", "dtype": "float32", "max_num_seqs": 8, "enforce_eager": True, "use_tqdm_on_load": False}
    options = command_line(arguments, {"lora": Path("/adapters/lora")})
    assert options[-2:] == ["--lora-modules", "lora=/adapters/lora"]
    assert options[3:-2] == [
        "--dtype", "float32", "--max-num-seqs", "8", "--enforce-eager", "--no-use-tqdm-on-load"
    ]  # fmt: skip
    assert "--lora-modules" not in command_line(arguments, {})
