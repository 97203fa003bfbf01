"""The files of a submission folder, looked at without running anything in it."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from agents.core.edition import Edition
from agents.core.errors import describe
from tournament.doctor.classes import find_class, interface_faults
from tournament.doctor.finding import Finding, judged, unchecked
from tournament.teams.folder import read_regular
from tournament.teams.listing import list_folder
from tournament.untrusted import reason_of

AGENT_FILES = ("question_agent.py", "question_model.py", "answer_agent.py", "answer_model.py")
CLASSES = {"question_model.py": "QAgent", "answer_model.py": "AAgent"}
THEIRS = ("assets/topics_example.json", "utils/build_prompt.py")
"""What the organisers' own agents read from the folder beside the settings and the topics."""
MAX_SOURCE_BYTES = 2 * 1024 * 1024
MAX_SETTINGS_BYTES = 65_536
FREE_TO_RUN_BYTES, FREE_TO_REST_BYTES = 250_000_000, 5_000_000_000


def free_bytes(folder: Path) -> int:
    """What this user may still write where ``folder`` is."""
    return shutil.disk_usage(folder).free


def submission_findings(folder: Path, edition: Edition, free: Callable[[Path], int] = free_bytes) -> Iterator[Finding]:
    """Every check of the files in ``folder``, which exists."""
    for name in AGENT_FILES:
        yield from _source_findings(folder, name)
    yield _settings(folder, "qgen.yaml", edition.question_max_new_tokens)
    yield _settings(folder, "agen.yaml", edition.answer_max_new_tokens)
    yield _topics(folder, edition)
    missing = [path for path in THEIRS if not (folder / path).is_file()]
    yield judged(
        "what their agents read",
        not missing,
        f"not there: {', '.join(missing)}" if missing else ", ".join(THEIRS),
        expected="both files",
        fix="Copy the missing files from the starter kit: the organisers' own agents read them.",
        otherwise="warning",
    )
    yield _disk(folder, free(folder))


def _source_findings(folder: Path, name: str) -> Iterator[Finding]:
    path = f"agents/{name}"
    try:
        tree = ast.parse(read_regular(folder / "agents", name, MAX_SOURCE_BYTES))
    except FileNotFoundError:
        yield Finding(path, "fail", "no such file", "one of the four files", f"Add {path}; all four files must exist.")
        return
    except (OSError, ValueError, OverflowError, SyntaxError, RecursionError, MemoryError) as error:
        fix = f"Make {path} a plain Python file that parses; the organisers copy and import it."
        yield Finding(path, "fail", reason_of(error), "a plain Python file", fix)
        return
    if name not in CLASSES:
        yield Finding(path, "ok", "there, and it parses")
        return
    wanted = CLASSES[name]
    found = find_class(tree, wanted)
    yield judged(
        path,
        found is not None,
        f"there, and it has {wanted}" if found else f"no {wanted} at the top of it",
        expected=f"a class {wanted}",
        fix=f"Define or import {wanted} at the top level of {path}: the organisers' agent imports it.",
    )
    if isinstance(found, ast.ClassDef) and not found.bases:
        faults = interface_faults(found)
        yield judged(
            f"{wanted}'s interface",
            not faults,
            "; ".join(faults) or "keyword arguments, tokenizer, generate_response",
            expected="__init__(…, **kwargs), .tokenizer, generate_response(message, system_prompt, **kwargs)",
            fix=f"Give {wanted} what is missing, as the organisers' own agent uses it.",
        )
    elif found is not None:
        yield unchecked(f"{wanted}'s interface", "it comes from elsewhere, and nothing is imported for this")


def _settings(folder: Path, name: str, limit: int) -> Finding:
    import yaml

    try:
        value = yaml.safe_load(read_regular(folder, name, MAX_SETTINGS_BYTES))
    except FileNotFoundError:
        fix = f"Copy {name} from the starter kit: the organisers' own agent reads it."
        return Finding(name, "warning", "no such file", f"max_new_tokens: {limit}", fix)
    except (OSError, ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
        return Finding(
            name, "fail", f"cannot be read: {reason_of(error)}", "YAML", f"Copy {name} from the starter kit again."
        )
    if not isinstance(value, dict):
        return Finding(name, "fail", describe(value), "settings by name", f"Copy {name} from the starter kit again.")
    given = value.get("max_new_tokens", limit)
    shown = str(given) if type(given) is int else describe(given)
    return judged(
        name,
        type(given) is int and given == limit,
        f"max_new_tokens: {shown}" if "max_new_tokens" in value else "no max_new_tokens",
        expected=f"max_new_tokens: {limit}, as the starter kit has it",
        fix=f"Set max_new_tokens back to {limit}; generation limits must not be changed.",
    )


def _topics(folder: Path, edition: Edition) -> Finding:
    check, name = "assets/topics.json", "topics.json"
    expected = "the edition's topics: lists of names by category"
    fix = f"Copy {check} from the starter kit: both agents' command lines read it."
    try:
        value: Any = json.loads(read_regular(folder / "assets", name, MAX_SETTINGS_BYTES))
    except FileNotFoundError:
        return Finding(check, "fail", "no such file", expected, fix)
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        return Finding(check, "fail", f"cannot be read: {reason_of(error)}", expected, fix)
    lists = list(value.values()) if isinstance(value, dict) else []
    names = [name for topics in lists if isinstance(topics, list) for name in topics]
    if not names or not all(isinstance(topics, list) for topics in lists):
        return Finding(check, "fail", describe(value), expected, fix)
    known = {topic for topics in edition.topics.values() for topic in topics}
    others = [describe(name) for name in names if name not in known]
    absent = sorted(known - {name for name in names if isinstance(name, str)})
    differs = [f"not of {edition.title}: {', '.join(others[:3])}"] if others else []
    differs += [f"missing: {', '.join(absent)}"] if absent else []
    return judged(
        check,
        not differs,
        "; ".join(differs) or f"{len(names)} topics",
        expected=expected,
        fix=f"Take the topics of {edition.title}, or name the edition that you mean by --edition.",
        otherwise="warning",
    )


def _disk(folder: Path, free: int) -> Finding:
    # A file under two names takes its room once.
    sizes = {entry[1]: entry[2] for entry in list_folder(folder, without="").values()}
    found = f"{decimal(free)} free; the folder holds {decimal(sum(sizes.values()))}"
    return judged(
        "disk",
        free >= FREE_TO_REST_BYTES,
        found,
        expected=f"at least {decimal(FREE_TO_REST_BYTES)} free",
        fix="Free some disk: old checkpoints and the hub's cache are the usual finds.",
        otherwise="fail" if free < FREE_TO_RUN_BYTES else "warning",
    )
