"""A file of JSON lines keeps its complete lines, whatever happens to its writer."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from agents.core.errors import FileError
from agents.support.json_lines import JsonLinesFile, complete_lines


def test_lines_come_back_in_order(tmp_path: Path):
    path = tmp_path / "below" / "log.jsonl"
    with JsonLinesFile(path, "a log") as log:
        log.append([b"1", b"2"])
        log.append([b"3"])
        log.sync()
    assert path.read_bytes() == b"1\n2\n3\n"
    with JsonLinesFile(path, "a log") as log:
        assert log.lines == [b"1", b"2", b"3"]


def test_a_torn_last_line_is_removed_when_the_file_is_opened(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b"')
    with JsonLinesFile(path, "a log") as log:
        assert log.lines == [b'{"a": 1}']
        log.append([b"{}"])
    assert path.read_bytes() == b'{"a": 1}\n{}\n'


@pytest.mark.parametrize(("data", "lines"), [(b"", []), (b"torn", []), (b"a\n", [b"a"]), (b"a\n\nb", [b"a", b""])])
def test_complete_lines_are_those_with_an_end(data, lines):
    assert complete_lines(data) == lines


def test_a_second_writer_is_refused(tmp_path: Path):
    with JsonLinesFile(tmp_path / "log", "the log of a match") as log, pytest.raises(FileError) as caught:
        JsonLinesFile(log.path, "the log of a match")
    assert caught.value.found == "the log of a match that another process is writing"


def test_a_full_disk_keeps_what_was_written_before(tmp_path: Path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JsonLinesFile(tmp_path / "log", "the log of a match") as log:
        log.append([b"kept"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
        try:
            with pytest.raises(FileError) as caught:
                log.append([b"a line of more than sixteen bytes"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.expected == "room for the log of a match"
        assert log.path.read_bytes() == b"kept\n"
        log.append([b"again"])
    assert log.path.read_bytes() == b"kept\nagain\n"


def test_a_file_that_cannot_be_opened_is_one_sentence(tmp_path: Path):
    with pytest.raises(FileError) as caught:
        JsonLinesFile(tmp_path, "a log")
    assert str(caught.value) == f"{tmp_path}: found is a directory; expected a file that can be written"
