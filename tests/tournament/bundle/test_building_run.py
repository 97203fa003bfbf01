"""A bundle runs by the organisers' two command lines with nothing but itself and the libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from agent_fakes import manifest_of
from bundle_fakes import Workshop, files_in, run_alone, run_command, workshop
from doctor_fakes import by_check, examination, not_ok, put
from their_agents import ANSWER, QUESTION
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.manifest import Base, Member
from agents.ensemble.manifest_file import write_manifest
from agents.models.checkpoint import checkpoint_sha256
from aiac.cli import run
from aiac.commands.shared import puzzle_source
from tournament.bundle.building import build_bundle, command_lines
from tournament.bundle.checking import differences
from tournament.bundle.kit import worked_examples
from tournament.bundle.record import read_record
from tournament.doctor.runs import run_findings

ROOT = Path(__file__).resolve().parents[3]
ASK = ["--output_file", "outputs/questions.json", "--num_questions", "3"]
ANSWERING = ["--input_file", "outputs/filtered_questions.json", "--output_file", "outputs/answers.json"]


@pytest.fixture
def bundle(tmp_path) -> Path:
    """Of weights that do not compute: enough for the Q-agent, which needs none."""
    out = tmp_path / "bundle-under-test"
    build_bundle(out, workshop(tmp_path / "shop").request())
    return out


@pytest.fixture
def tiny(tmp_path) -> Path:
    """Of a random model that computes."""
    base = write_tiny_checkpoint(tmp_path / "base")
    sha256 = checkpoint_sha256(base)
    member = Member(name="plain", method="cloze", weight=1.0)
    write_manifest(manifest_of(member, base=Base(model="tiny", sha256=sha256)), tmp_path / "ensemble")
    out, shop = tmp_path / "bundle-under-test", Workshop(base, tmp_path / "ensemble")
    edition = examination().edition
    build_bundle(out, shop.request(examples=worked_examples(edition, puzzle_source()), rehearse=lambda: "float32"))
    return out


def test_questions_are_asked_without_this_project_a_home_or_a_network(bundle, tmp_path):
    ran = run_alone(bundle, tmp_path, "agents.question_agent", ASK)
    assert ran.code == 0, ran.err
    assert len(json.loads((bundle / "outputs/questions.json").read_text())) == 3
    assert ran.from_checkout() == []
    assert ran.modules["agents.asking.questioner"] == str(bundle / "agents/asking/questioner.py")
    assert list(ran.home.iterdir()) == []


def test_what_is_kept_between_runs_is_below_outputs(bundle, tmp_path):
    for _ in range(2):
        assert run_command(bundle, read_record(bundle).commands["questions"], tmp_path / "home").returncode == 0
    assert (bundle / "outputs/cache/questions.sqlite").exists()
    assert list(differences(bundle)) == []


def test_the_record_goes_before_every_variable(bundle, tmp_path):
    strange = {
        "AIAC_EDITION": "mars2031",
        "AIAC_QUESTION_POOL": str(tmp_path / "pool"),
        "AIAC_CACHE_DIR": str(tmp_path / "cache"),
    }
    done = run_command(bundle, command_lines(2)["questions"], tmp_path / "home", **strange)
    assert done.returncode == 0, done.stderr
    assert not {"pool", "cache"} & {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("module", "arguments", "package"),
    [("agents.question_agent", ASK, "rich"), ("agents.answer_agent", ANSWERING, "pydantic")],
)
def test_a_package_that_is_missing_is_named_in_a_sentence(bundle, tmp_path, module, arguments, package):
    put(bundle, "outputs/filtered_questions.json", '[{"question": "Q?", "choices": ["x", "y"]}]')
    ran = run_alone(bundle, tmp_path, module, arguments, without=[package])
    assert ran.code == 1
    assert f"{package} is not installed; install it; bundle.json lists the packages" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    assert not (bundle / "outputs/answers.json").exists()


def test_a_base_model_that_has_to_be_pulled_is_asked_for_by_its_command(tmp_path):
    out = tmp_path / "bundle-under-test"
    build_bundle(out, Workshop(tmp_path, ROOT / "ensembles/default").request(find_base=None))
    put(out, "outputs/filtered_questions.json", '[{"question": "Q?", "choices": ["x", "y"]}]')
    ran = run_alone(out, tmp_path, "agents.answer_agent", ANSWERING)
    assert ran.code == 2
    assert f"run `python -m agents.models SmolLM2-135M-Instruct` in {out}" in ran.err
    assert ran.err.count("\n") == 1
    assert run_alone(out, tmp_path, "agents.models.__main__", ["SmolLM3"]).err.startswith(
        "agents.models: model: found 'SmolLM3'; expected one of SmolLM2-135M-Instruct"
    )


def test_a_damaged_record_is_an_error_of_one_sentence(bundle, tmp_path):
    (bundle / "bundle.json").write_text("{")
    ran = run_alone(bundle, tmp_path, "agents.question_agent", ASK)
    assert ran.code == 2
    assert "bundle.json: found something else; expected what `aiac bundle` wrote there" in ran.err


@pytest.mark.parametrize("theirs", [False, True], ids=["our agents", "their agents"])
def test_the_doctor_has_nothing_to_fix(tiny, theirs):
    if theirs:
        put(tiny, "agents/question_agent.py", QUESTION)
        put(tiny, "agents/answer_agent.py", ANSWER)
    patient = examination(sizes=[7], run_patience_s=200.0)
    found = by_check(run_findings(tiny, patient))
    assert not_ok(found.values()) == {}
    assert found["filtered questions"].found == "7 rows that pass"
    assert found["filtered answers"].found == "7 rows that pass"
    changed = [sentence.partition(":")[0] for sentence in differences(tiny)]
    assert changed == (["agents/answer_agent.py", "agents/question_agent.py"] if theirs else [])


@pytest.mark.model
def test_the_real_ensemble_is_handed_in_and_passes(tmp_path, default_checkpoint, capsys):
    out, home = tmp_path / "bundle-under-test", tmp_path / "home"
    assert run(["bundle", str(out), "--ensemble", "starter", "--edition", "feb2026_iitd"]) == 0
    made = files_in(out)
    record = read_record(out)

    for name, written in {"questions": 20, "answers": 20}.items():
        done = run_command(out, record.commands[name], home)
        assert done.returncode == 0, done.stderr
        assert len(json.loads((out / f"outputs/filtered_{name}.json").read_text())) == written
    answers = json.loads((out / "outputs/answers.json").read_text())
    assert {answer["answer"] for answer in answers} <= set("ABCD")
    assert "20 answered" in done.stderr
    assert " 0 broken" in done.stderr

    ran = run_alone(out, tmp_path, "agents.answer_agent", ANSWERING)
    assert ran.code == 0, ran.err
    assert ran.from_checkout() == []
    assert ran.modules["agents.engines.torch.worker"] == str(out / "agents/engines/torch/worker.py")
    assert list(home.iterdir()) == []

    capsys.readouterr()
    # Seven, so that the edition's 63 s for the answers leave a slow machine several times what it needs to start.
    assert run(["doctor", str(out), "--edition", "feb2026_iitd", "--sizes", "7", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {each["verdict"] for each in findings} <= {"ok", "not checked"}
    assert run(["bundle", str(out), "--check"]) == 0
    left = {path for path in files_in(out) - made if "__pycache__" not in path}
    assert all(path.startswith("outputs/") for path in left)
