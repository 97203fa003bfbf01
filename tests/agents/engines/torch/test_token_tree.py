"""The token tree: shared prefixes once, masks that show a token its own past and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.engines.torch.token_tree import TokenTree

rows_of_tokens = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=8)


def spelled(tree: TokenTree, tokens: list[int]) -> list[int]:
    return [token for run in tree.path(tokens) for token in run.tokens]


@settings(derandomize=True, deadline=None)
@given(rows_of_tokens, st.data())
def test_every_row_is_spelled_by_its_path_with_a_boundary_after_its_context(rows, data):
    tree = TokenTree()
    contexts = [data.draw(st.integers(0, len(row) - 1)) for row in rows]
    for row, context in zip(rows, contexts, strict=True):
        tree.insert(row, context)
    for row, context in zip(rows, contexts, strict=True):
        path = tree.path(row)
        assert spelled(tree, row) == row
        assert context == 0 or context in {run.end for run in path}
        assert [run.start for run in path] == [0, *[run.end for run in path[:-1]]]


@settings(derandomize=True, deadline=None)
@given(rows_of_tokens)
def test_a_batch_holds_each_distinct_prefix_once(rows):
    tree = TokenTree()
    for row in rows:
        tree.insert(row, len(row) - 1)
    layout = tree.layout([tree.path(row) for row in rows])
    distinct_prefixes = {tuple(row[: i + 1]) for row in rows for i in range(len(row))}
    assert layout.n_fresh == len(distinct_prefixes)
    assert layout.n_cached == 0


@settings(derandomize=True, deadline=None)
@given(rows_of_tokens)
def test_the_mask_shows_a_token_exactly_the_tokens_before_it_in_its_row(rows):
    tree = TokenTree()
    for row in rows:
        tree.insert(row, len(row) - 1)
    paths = [tree.path(row) for row in rows]
    layout = tree.layout(paths)
    visible: dict[int, set[int]] = {place: set() for place in range(layout.n_fresh)}
    for places, columns, causal in layout.blocks():
        for i, place in enumerate(range(places.start, places.stop)):
            stop = columns.start + i + 1 if causal else columns.stop
            visible[place] |= set(range(columns.start, stop))
    for row, path in zip(rows, paths, strict=True):
        places = [layout.offset(path, position) for position in range(len(row))]
        for position, place in enumerate(places):
            assert visible[place] == set(places[: position + 1])


def test_a_context_with_keys_and_values_is_reused_and_what_follows_it_is_not():
    tree = TokenTree()
    tree.insert([1, 2, 3, 4], 3)
    context, tail = tree.path([1, 2, 3, 4])
    context.key_values, tail.key_values = [], []
    assert tree.cached_length([1, 2, 3, 9]) == 3
    tree.insert([1, 2, 3, 4], 3)
    layout = tree.layout([tree.path([1, 2, 3, 4])])
    assert (layout.n_cached, layout.n_fresh) == (3, 1)


def test_pruning_drops_what_has_no_keys_and_values_and_the_longest_unused_first():
    tree = TokenTree()
    for row in ([1, 1, 1], [2, 2, 2], [3, 3, 3]):
        tree.insert(row, 3)
        tree.path(row)[0].key_values = []
    tree.insert([4, 4, 4], 3)
    tree.prune(max_tokens=6)
    assert sorted(tree.root.children) == [2, 3]
