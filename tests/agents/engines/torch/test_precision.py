"""A CPU computes in bfloat16 when its flags say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.engines.torch.precision import has_bfloat16_units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512f\n", False),
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16\n\nflags : fpu\n", True),
        ("flags : fpu amx_bf16 amx_tile\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("Features\t: fp asimd\n", False),
        ("model name : bf16\n", False),
        ("", False),
    ],
)
def test_the_flags_decide(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert has_bfloat16_units(tmp_path / "cpuinfo") is expected


def test_without_the_file_there_are_none(tmp_path: Path) -> None:
    assert not has_bfloat16_units(tmp_path / "cpuinfo")
