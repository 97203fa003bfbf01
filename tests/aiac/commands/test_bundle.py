"""`aiac bundle` as a person runs it: an ensemble whose base model is left to be pulled needs no model here."""

from __future__ import annotations

import pytest

from agents.core.edition import load_edition
from aiac.cli import run
from tournament.bundle.record import read_record


@pytest.fixture
def bundle(tmp_path, monkeypatch, capsys):
    """The command, with a cache that has no model in it."""
    monkeypatch.setenv("AIAC_CACHE_DIR", str(tmp_path / "cache"))

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(["bundle", str(tmp_path / "out"), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_it_says_what_was_made_and_what_to_run(bundle, tmp_path):
    arguments = ["--edition", "aaipl-2026-02", "--ensemble", "default"]
    code, out, err = bundle(*arguments, "--models", "pull")
    assert code == 0
    first, pull, *commands = out.splitlines()
    assert first.startswith(f"{tmp_path / 'out'}: ")
    assert first.endswith("; default on transformers, for feb2026_iitd")
    assert pull == "the base model is not inside; pull it there: python -m agents.models SmolLM2-135M-Instruct"
    assert commands == list(read_record(tmp_path / "out").commands.values())
    assert "writing" in err
    assert set(load_edition("feb2026_iitd").topics["Puzzles"]) <= set((tmp_path / "out").joinpath(
        "assets/topics_example.json").read_text().split('"'))  # fmt: skip


def test_a_comparison_ends_with_1_where_a_file_differs(bundle, tmp_path):
    assert bundle("--ensemble", "default", "--models", "pull")[0] == 0
    code, out, _ = bundle("--check")
    assert (code, out.count("\n")) == (0, 1)
    assert "files are as bundle.json lists them" in out
    (tmp_path / "out/qgen.yaml").write_text("max_new_tokens: 4096\n")
    code, out, _ = bundle("--check")
    assert code == 1
    assert out.startswith("qgen.yaml: found 21 bytes; expected ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--edition", "mars2031"], "edition: found 'mars2031'; expected one of jul2025_iisc"),
        (["--ensemble", "nowhere"], "ensemble: found 'nowhere'; expected a folder with ensemble.json"),
        (["--ensemble", "default"], "run `aiac models pull SmolLM2-135M-Instruct`"),
        (["--engine", "remote"], "'remote'"),
        (["--ensemble", "default", "--models", "pull", "--kit", "nowhere"], "nowhere: found no such folder"),
        (["--check"], "bundle.json: found no such file or directory; expected what `aiac bundle` wrote there"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(bundle, tmp_path, arguments, complaint):
    code, out, err = bundle(*arguments)
    assert code == 2
    assert complaint in err
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "out").exists()


def test_an_earlier_bundle_is_not_replaced_by_accident(bundle):
    arguments = ["--ensemble", "default", "--models", "pull"]
    assert bundle(*arguments)[0] == 0
    code, _, err = bundle(*arguments)
    assert code == 2
    assert "found an earlier bundle of default" in err
    assert bundle(*arguments, "--force")[0] == 0
