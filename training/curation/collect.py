"""The one pass over the sources: keeps rows that are well-formed, new, and in no evaluation file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from agents.core.text_similarity import QuestionWords, digest, question_words, same_question, shingles, split_words
from training.curation.contamination import EvaluationIndex
from training.curation.report import CONTAMINATED, CONTRADICTION, EXACT_DUPLICATE
from training.curation.similarity import Signatures
from training.sources.source import Dropped, SourceRow
from training.support.progress import RowProgress

MIN_PASSAGE_WORDS = 20
PROGRESS_ROWS = 500


@dataclass
class Tally:
    """What became of the rows of one source, or of one evaluation file."""

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    sources: set[str] = field(default_factory=set)
    rows: int = 0
    """Those with a question and a key."""
    overlaps: int = 0
    near_copies: int = 0
    """Of an evaluation file: the rows of the sources that were dropped for it, by kind of resemblance."""
    content_sha256: str = ""


def read_keyed(items: Iterable[SourceRow | Dropped], tally: Tally, advance: RowProgress) -> Iterator[SourceRow]:
    """The rows among ``items``; ``tally`` gets what was read, what a source dropped itself, and a SHA-256 of the rows.

    The hash is over ids, texts, choices and keys, so it does not change with the file format.
    """
    content = sha256()
    for item in items:
        tally.read += 1
        if tally.read % PROGRESS_ROWS == 0:
            advance(tally.read)
        if isinstance(item, Dropped):
            tally.dropped[item.reason] += 1
            continue
        question = item.question
        content.update("\x1f".join((item.id, question.text, *question.choices, str(question.key), "\n")).encode())
        tally.sources.add(item.source)
        tally.rows += 1
        yield item
    tally.content_sha256 = content.hexdigest()
    advance(tally.read)


class Collector:
    """Takes rows one at a time and keeps those that pass, as parallel lists.

    ``rows``, the number of each one's source in ``source_numbers``, and in ``keys`` 64 bits that stand for its key's
    text. ``same_stem`` are pairs of indices with the same question text or passage, enough of them to connect all such
    rows. ``contradicted`` are indices of rows that came again with another key: which one is right cannot be told.
    ``signatures`` are those of the evaluation rows, whose files are in ``evaluation_files``, then those of ``rows``.
    """

    def __init__(self, ngram_words: int, seed: int, evaluation: Sequence[Tally]) -> None:
        self.rows: list[SourceRow] = []
        self.source_numbers: list[int] = []
        self.keys: list[int] = []
        self.same_stem: list[tuple[int, int]] = []
        self.contradicted: set[int] = set()
        self.signatures = Signatures(seed)
        self.evaluation_files: list[int] = []
        self._evaluation = evaluation
        self._index = EvaluationIndex(ngram_words)
        self._place_of: dict[int, int] = {}
        self._first_with_stem: dict[int, int] = {}
        self._ids: Counter[str] = Counter()

    def add_evaluation(self, file: int, row: SourceRow) -> None:
        """Adds a row of the evaluation file with this number. All of them come before the first ``add``."""
        words = question_words(row.question)
        self._index.add(file, words)
        self.signatures.add(shingles(words))
        self.evaluation_files.append(file)

    def add(self, source_number: int, row: SourceRow, tally: Tally) -> None:
        """Keeps a row of the source with this number, or counts in ``tally`` why it does not."""
        words = question_words(row.question)
        key = digest(" ".join(words.choices[row.question.key or 0]))
        question = digest(*same_question(words))
        if (earlier := self._place_of.get(question)) is not None:
            same_key = self.keys[earlier] == key
            tally.dropped[EXACT_DUPLICATE if same_key else CONTRADICTION] += 1
            if not same_key:
                self.contradicted.add(earlier)
            return
        if files := self._index.overlaps(words):
            tally.dropped[CONTAMINATED] += 1
            for file in files:
                self._evaluation[file].overlaps += 1
            return
        place = len(self.rows)
        self._place_of[question] = place
        self.signatures.add(_compared(row, words))
        self.rows.append(self._with_own_id(row))
        self.source_numbers.append(source_number)
        self.keys.append(key)
        for stem in _stems(row.question.text, words):
            first = self._first_with_stem.setdefault(stem, place)
            if first != place:
                self.same_stem.append((first, place))

    def _with_own_id(self, row: SourceRow) -> SourceRow:
        self._ids[row.id] += 1
        return row if self._ids[row.id] == 1 else replace(row, id=f"{row.id}~{self._ids[row.id]}")


def _compared(row: SourceRow, words: QuestionWords) -> set[str]:
    """The set whose overlap with another row's is their similarity: runs of words, or a proved row's structure alone.

    Questions made from one template share most of their words and need not share anything else.
    """
    return shingles(words) if row.proved is None else {row.proved.fingerprint}


def _stems(text: str, words: QuestionWords) -> Iterator[int]:
    """What two questions may share although little else is alike: the question's words, and the passage before it."""
    yield digest(" ".join(words.text))
    passage, _, _ = text.rpartition("\n")
    passage_words = split_words(passage)
    if len(passage_words) >= MIN_PASSAGE_WORDS:
        yield digest("passage", " ".join(passage_words))
