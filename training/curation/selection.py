"""Which of the collected rows stay: no near copies of other rows or of evaluation rows, no more than asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.core.errors import InputError
from training.curation.collect import Collector, Tally
from training.curation.recipe import DataRecipe
from training.curation.report import CONTAMINATED, CONTRADICTION, NEAR_DUPLICATE, NOT_DRAWN
from training.curation.similarity import merge_components, similar_pairs
from training.curation.split import draw_in_proportion
from training.sources.source import SourceRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Selection:
    """The rows that stay, as parallel lists: the row, the number of its source, and that of its group."""

    rows: list[SourceRow]
    source_numbers: list[int]
    groups: list[int]


@dataclass(frozen=True)
class Resemblance:
    """How the collected rows resemble each other; all numbers are indices of ``Collector.rows``.

    ``duplicates`` are pairs (earlier, later) of near copies with the same key text, in the order of the later one.
    ``near_evaluation`` holds, for a near copy of an evaluation row, the numbers of those rows' files.
    ``groups`` has one label a row: rows of one label hang together by similarity, question text or passage.
    """

    duplicates: list[tuple[int, int]]
    near_evaluation: dict[int, set[int]]
    groups: NDArray[np.int64]


def select_rows(
    collector: Collector, recipe: DataRecipe, sources: Sequence[Tally], evaluation: Sequence[Tally]
) -> Selection:
    """The rows of the data set; the tallies get what was dropped here and why.

    Raises InputError when no row is left.
    """
    resemblance = find_resemblance(collector, recipe.near_duplicate_similarity, recipe.group_similarity)
    reasons = _drop_reasons(collector, resemblance, evaluation)
    kept = [i for i in range(len(collector.rows)) if i not in reasons]
    if recipe.rows is not None:
        drawn = draw_in_proportion([collector.source_numbers[i] for i in kept], recipe.rows, recipe.seed)
        drawn_rows = {kept[i] for i in drawn}
        reasons.update((i, NOT_DRAWN) for i in kept if i not in drawn_rows)
        kept = sorted(drawn_rows)
    for index, reason in reasons.items():
        sources[collector.source_numbers[index]].dropped[reason] += 1
    if not kept:
        raise _no_row_left(sources)
    return Selection(
        [collector.rows[i] for i in kept],
        [collector.source_numbers[i] for i in kept],
        [int(resemblance.groups[i]) for i in kept],
    )


def _no_row_left(sources: Sequence[Tally]) -> InputError:
    counts = sum((tally.dropped for tally in sources), Counter[str]())
    why = ", ".join(f"{count:,} {reason}" for reason, count in counts.items()) or "the sources are empty"
    return InputError("data.sources", f"no row left ({why})", "at least one row")


def _drop_reasons(collector: Collector, resemblance: Resemblance, evaluation: Sequence[Tally]) -> dict[int, str]:
    """Reasons to drop rows, by their index; the tallies of evaluation files get their near copies."""
    reasons: dict[int, str] = dict.fromkeys(collector.contradicted, CONTRADICTION)
    for index, files in resemblance.near_evaluation.items():
        if reasons.setdefault(index, CONTAMINATED) is CONTAMINATED:
            for file in files:
                evaluation[file].near_copies += 1
    for earlier, later in resemblance.duplicates:
        if earlier not in reasons:
            reasons.setdefault(later, NEAR_DUPLICATE)
    return reasons


def find_resemblance(collector: Collector, near_duplicate: float, group: float) -> Resemblance:
    """Compares every collected row with the others and with the evaluation rows; ``group`` ≤ ``near_duplicate``."""
    import numpy as np

    signatures = collector.signatures.matrix()
    files = np.array(collector.evaluation_files, dtype=np.int64)
    keys = np.array(collector.keys, dtype=np.uint64)
    evaluation_rows = len(files)
    groups = np.arange(len(keys), dtype=np.int64)
    duplicates: list[NDArray[np.int64]] = [np.empty((0, 2), dtype=np.int64)]
    near_evaluation: dict[int, set[int]] = {}
    for first, second, similarity in similar_pairs(signatures, group):
        near = similarity >= near_duplicate
        ours = first >= evaluation_rows
        left, right = first[ours] - evaluation_rows, second[ours] - evaluation_rows
        groups = merge_components(groups, left, right)
        same_key = near[ours] & (keys[left] == keys[right])
        duplicates.append(np.stack([left[same_key], right[same_key]], axis=1))
        copied = near & ~ours & (second >= evaluation_rows)
        for file, index in zip(files[first[copied]].tolist(), (second[copied] - evaluation_rows).tolist(), strict=True):
            near_evaluation.setdefault(index, set()).add(file)
    stems = np.array(collector.same_stem, dtype=np.int64).reshape(-1, 2)
    groups = merge_components(groups, stems[:, 0], stems[:, 1])
    pairs = np.unique(np.concatenate(duplicates), axis=0).tolist()
    return Resemblance(sorted(((i, j) for i, j in pairs), key=lambda pair: pair[::-1]), near_evaluation, groups)
