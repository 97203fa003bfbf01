"""Submission folders and services that are sound, to plant one fault in, and what they are examined with."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from typing import Any

from arena_fakes import FEBRUARY, count_words, question
from folder_scripts import READ_OPTIONS
from loopback import Respond, http

from agents.core.errors import QuestionError
from agents.core.schema import read_question
from tournament.doctor.finding import Examination, Finding

READ = dedent(READ_OPTIONS) + dedent("""
    def write_both(rows):
        write(rows)
        output = Path(options.output_file)
        output.with_name("filtered_" + output.name).write_text(json.dumps(rows))
""")
ASK = f"""
    rows = []
    for i in range(options.num_questions):
        rows.append({question()!r} | {{"question": f"Which is number {{i}}?", "answer": "ABCD"[i % 4]}})
    write_both(rows)
"""
ANSWER = """
    rows = json.loads(Path(options.input_file).read_text())
    write_both([{"answer": "ABCD"[i % 4], "reasoning": "So it is."} for i in range(len(rows))])
"""
MODEL = """
    class {name}:
        def __init__(self, **kwargs):
            self.tokenizer = None

        def generate_response(self, message, system_prompt=None, **kwargs):
            return message, None, None
"""


def examination(*, sizes: Iterable[int] = (1, 2), **changes: Any) -> Examination:
    """February's rules by a tokenizer that counts words; samples' keys are A, B, C and D in turn."""
    numbers = list(sizes)
    samples = [question(i, "ABCD"[i % 4]) for i in range(max(numbers))]
    return Examination(FEBRUARY, count_words, "words", samples, numbers, **changes)


def sound_submission(at: Path, *, ask: str = ASK, answer: str = ANSWER) -> Path:
    """A submission folder with nothing to find fault with, unless ``ask`` or ``answer`` is a fault."""
    scripts = {"question_agent": ask, "answer_agent": answer}
    for name, script in scripts.items():
        put(at, f"agents/{name}.py", READ + dedent(script))
    for name, wanted in (("question_model", "QAgent"), ("answer_model", "AAgent")):
        put(at, f"agents/{name}.py", dedent(MODEL.format(name=wanted)))
    put(at, "qgen.yaml", "max_new_tokens: 1024 # Do not modify max_new_tokens\ntemperature: 0.7\n")
    put(at, "agen.yaml", "max_new_tokens: 512\n")
    put(at, "assets/topics.json", json.dumps({name: list(topics) for name, topics in FEBRUARY.topics.items()}))
    put(at, "assets/topics_example.json", "{}")
    put(at, "utils/build_prompt.py", "")
    return at


def put(at: Path, path: str, contents: str | bytes) -> None:
    file = at / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(contents.encode() if isinstance(contents, str) else contents)


def sound_service() -> Respond:
    """Serves all that is asked of a service, at once. What a test wants otherwise it answers before."""
    numbers = itertools.count()

    def respond(target: str, body: bytes) -> list[bytes]:
        number = next(numbers)
        if target in ("/health", "/ready"):
            return http({"status": "ok"})
        row = question(number, "ABCD"[number % 4])
        if target == "/question":
            return http(row)
        if target == "/generate_question":
            return http({"question": row["question"], "choices": dict(zip("ABCD", "wxyz", strict=True))})
        if target not in ("/answer", "/answer_question"):
            return http({"detail": "no such route"}, status=404)
        try:
            payload = json.loads(body)
            payload = payload.get("questions", payload) if isinstance(payload, dict) else payload
            read_question(payload)
        except (ValueError, RecursionError, QuestionError) as error:
            return http({"detail": str(error)}, status=422)
        return http({"answer": "ABCD"[number % 4], "reasoning": "So it is."})

    return respond


def by_check(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Findings by the name of their check, each of which occurs once."""
    listed = list(findings)
    found = {finding.check: finding for finding in listed}
    assert len(found) == len(listed)
    return found


def not_ok(findings: Iterable[Finding]) -> dict[str, str]:
    """The verdicts of what is not ok, but for what too few items cannot tell."""
    few = ("key letters", "letters said")
    return {
        finding.check: finding.verdict
        for finding in findings
        if finding.verdict != "ok" and not (finding.verdict == "not checked" and finding.check in few)
    }
