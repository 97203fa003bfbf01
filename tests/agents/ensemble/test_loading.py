"""An ensemble is served only as far as its weights and its golden probes are what the manifest records."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, letter_member, manifest_of

from agents.core.deadline import Deadline
from agents.core.errors import DamagedModelError, EngineError, ManifestError, NotReadyError
from agents.core.manifest import FILE_NAME, Base, ContinuationProbe, Member, NextTokenProbe
from agents.ensemble.golden_probes import MemberStatus
from agents.ensemble.loading import LoadedEnsemble, check_ensemble, find_ensemble, load_ensemble
from agents.ensemble.manifest_file import write_manifest
from agents.ensemble.placement import adapters_together

WEIGHTS = b"weights"
ADAPTER = b"adapter weights"
NEXT = NextTokenProbe(prompt=[1], candidates=[65, 66], logprobs=[-1.0, -1.0])
ROWS = ContinuationProbe(prompt=[1], continuations=[[65, 66], [67]], logprobs=[[-0.5, -1.5], [-1.0]])


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Workshop:
    """A base checkpoint and an ensemble folder on disk, and what was opened."""

    def __init__(self, folder: Path, engine: ScriptedEngine) -> None:
        self.checkpoint = folder / "base"
        self.checkpoint.mkdir()
        (self.checkpoint / "model.safetensors").write_bytes(WEIGHTS)
        self.folder = folder / "ensemble"
        (self.folder / "tuned").mkdir(parents=True)
        (self.folder / "tuned" / "adapter_model.safetensors").write_bytes(ADAPTER)
        self.engine = engine
        self.opened: list[tuple[Path, dict[str, Path]]] = []
        self.stages: list[str] = []

    def open_engine(self, checkpoint: Path, adapters: Mapping[str, Path]) -> ScriptedEngine:
        self.opened.append((checkpoint, dict(adapters)))
        return self.engine

    def load(self, *members: Member, base_sha256: str = sha(WEIGHTS), file: str = "") -> LoadedEnsemble:
        manifest = manifest_of(*members, base=Base(model="tiny", sha256=base_sha256))
        path = write_manifest(manifest, self.folder)
        path = path.rename(self.folder / file) if file else self.folder
        work = load_ensemble(
            path, lambda name: self.checkpoint, adapters_together([self.open_engine]), self.stages.append
        )
        return asyncio.run(asyncio.wait_for(work, 10))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, ScriptedEngine(knows={None: "Paris"}))


def adapter(**fields: Any) -> Member:
    return letter_member("tuned", **{"kind": "adapter", "path": "tuned", "sha256": sha(ADAPTER), **fields})


def test_a_sound_ensemble_is_opened_and_answers(workshop: Workshop) -> None:
    loaded = workshop.load(letter_member("plain", probes=[NEXT, ROWS]), adapter(weight=0.5))
    assert workshop.opened == [(workshop.checkpoint, {"tuned": workshop.folder / "tuned"})]
    assert loaded.statuses == [
        MemberStatus("plain", True, 0.0),
        MemberStatus("tuned", True, None, "no golden probes recorded"),
    ]
    verdict = asyncio.run(loaded.answerer.answer(CAPITAL, Deadline.never()))
    assert verdict.answer.letter == "B"
    assert {member for member, _ in workshop.engine.calls} == {None, "tuned"}
    asyncio.run(loaded.close())
    assert workshop.engine.closed


def test_stages_are_reported_as_they_start(workshop: Workshop) -> None:
    workshop.load(letter_member("plain"))
    assert workshop.stages == [
        "finding tiny",
        "verifying weights",
        "placing members",
        "loading base",
        "checking plain",
        "warming up",
    ]


@pytest.mark.parametrize(
    ("dtype", "logprob", "ready"),
    [
        ("float32", -1.0009, True),
        ("float32", -1.01, False),
        ("float32", -0.99, False),
        ("bfloat16", -1.04, True),
        ("bfloat16", -1.06, False),
    ],
)
@pytest.mark.parametrize("probe", [NEXT, ROWS], ids=["next token", "continuation"])
def test_a_member_off_its_probes_by_more_than_the_tolerance_is_not_served(
    workshop: Workshop, probe: NextTokenProbe | ContinuationProbe, dtype: str, logprob: float, ready: bool
) -> None:
    workshop.engine.dtype, workshop.engine.logprob = dtype, logprob
    loaded = workshop.load(letter_member("probed", probes=[probe]), letter_member("other"))
    status = loaded.statuses[0]
    assert status.ready is ready
    assert status.difference_nats == pytest.approx(abs(logprob + 1.0))
    assert [voter.member.name for voter in loaded.answerer.voters] == (["probed", "other"] if ready else ["other"])
    tolerance = {"float32": "0.001", "bfloat16": "0.05"}[dtype]
    assert status.reason == (
        None
        if ready
        else f"differs from its golden probes by {abs(logprob + 1):.4f} nats; the tolerance in {dtype} is {tolerance}"
    )


@pytest.mark.parametrize("probe", [NEXT, ROWS], ids=["next token", "continuation"])
def test_nan_is_infinitely_far(workshop: Workshop, probe: NextTokenProbe | ContinuationProbe) -> None:
    workshop.engine.logprob = float("nan")
    loaded = workshop.load(letter_member("probed", probes=[probe]), letter_member("other"))
    assert (loaded.statuses[0].ready, loaded.statuses[0].difference_nats) == (False, float("inf"))


def test_a_member_whose_probe_fails_says_why(workshop: Workshop) -> None:
    workshop.engine.failing.add("tuned")
    loaded = workshop.load(adapter(probes=[NEXT]), letter_member("plain"))
    assert loaded.statuses[0] == MemberStatus("tuned", False, None, "out of memory")


def test_when_no_member_can_be_served_the_ensemble_is_not_ready(workshop: Workshop) -> None:
    workshop.engine.logprob = -3.0
    with pytest.raises(NotReadyError) as caught:
        workshop.load(letter_member("probed", probes=[NEXT]), letter_member("measured", weight=0))
    assert str(caught.value) == (
        "no member of fake can be served: probed: differs from its golden probes by 2.0000 nats; "
        "the tolerance in float32 is 0.001"
    )
    assert workshop.engine.closed


def test_another_base_is_refused_before_it_is_opened(workshop: Workshop) -> None:
    with pytest.raises(DamagedModelError) as caught:
        workshop.load(letter_member("plain"), base_sha256="f" * 64)
    assert (caught.value.field, caught.value.found) == (f"{workshop.checkpoint}: SHA-256", sha(WEIGHTS))
    assert caught.value.expected == f"{'f' * 64}, as the manifest records"
    assert workshop.opened == []


@pytest.mark.parametrize("path", ["../outside", "/", "tuned/../../outside"])
def test_an_adapter_outside_the_ensembles_folder_is_refused(workshop: Workshop, path: str) -> None:
    outside = workshop.folder.parent / "outside"
    outside.mkdir()
    (outside / "adapter_model.safetensors").write_bytes(ADAPTER)
    with pytest.raises(ManifestError) as caught:
        workshop.load(adapter(path=path))
    assert str(caught.value) == f"members.tuned.path: found {path}; expected a folder inside the ensemble's own"
    assert workshop.opened == []


def test_an_adapter_behind_a_link_out_of_the_folder_is_refused(workshop: Workshop) -> None:
    outside = workshop.folder.parent / "outside"
    outside.mkdir()
    (outside / "adapter_model.safetensors").write_bytes(ADAPTER)
    (workshop.folder / "link").symlink_to(outside)
    with pytest.raises(ManifestError, match="a folder inside the ensemble's own"):
        workshop.load(adapter(path="link"))


def test_adapter_weights_that_are_not_those_recorded_are_refused(workshop: Workshop) -> None:
    with pytest.raises(DamagedModelError, match=f"found SHA-256 {sha(ADAPTER)}; expected {'e' * 64}, as the manifest"):
        workshop.load(adapter(sha256="e" * 64))


def test_missing_adapter_weights_are_named(workshop: Workshop) -> None:
    with pytest.raises(DamagedModelError, match=r"missing/adapter_model\.safetensors: found no such file"):
        workshop.load(adapter(path="missing"))


def test_a_checkpoint_member_has_an_engine_of_its_own(workshop: Workshop) -> None:
    whole = workshop.folder / "whole"
    whole.mkdir()
    (whole / "model.safetensors").write_bytes(b"other weights")
    member = letter_member("whole", kind="checkpoint", path="whole", sha256=sha(b"other weights"))
    loaded = workshop.load(letter_member("plain"), member)
    assert workshop.opened == [(workshop.checkpoint, {}), (whole, {})]
    assert [status.ready for status in loaded.statuses] == [True, True]


def test_a_checkpoint_member_whose_weights_differ_is_refused(workshop: Workshop) -> None:
    (workshop.folder / "tuned" / "model.safetensors").write_bytes(b"cut sh")
    with pytest.raises(DamagedModelError, match="as the manifest records"):
        workshop.load(adapter(kind="checkpoint"))


def test_an_engine_that_does_not_start_costs_only_its_own_members(workshop: Workshop) -> None:
    whole = workshop.folder / "whole"
    whole.mkdir()
    (whole / "model.safetensors").write_bytes(b"other weights")
    member = letter_member("whole", kind="checkpoint", path="whole", sha256=sha(b"other weights"))
    write_manifest(
        manifest_of(letter_member("plain"), member, base=Base(model="tiny", sha256=sha(WEIGHTS))), workshop.folder
    )

    def opener(checkpoint: Path, adapters: Mapping[str, Path]) -> ScriptedEngine:
        if checkpoint == whole:
            raise EngineError("out of memory")
        return workshop.engine

    loaded = asyncio.run(load_ensemble(workshop.folder, lambda name: workshop.checkpoint, adapters_together([opener])))
    assert loaded.statuses == [
        MemberStatus("plain", True, None, "no golden probes recorded"),
        MemberStatus("whole", False, None, "out of memory"),
    ]


def test_an_engine_that_breaks_is_closed(workshop: Workshop) -> None:
    workshop.engine.failing.add(None)
    workshop.engine.error = RuntimeError("device lost")
    with pytest.raises(RuntimeError, match="device lost"):
        workshop.load(letter_member("plain", probes=[NEXT]))
    assert workshop.engine.closed


def test_a_warm_up_that_never_ends_is_given_up_and_the_engine_is_closed(workshop: Workshop) -> None:
    workshop.engine.hanging.add(None)
    path = write_manifest(
        manifest_of(letter_member("plain"), base=Base(model="tiny", sha256=sha(WEIGHTS))), workshop.folder
    )
    work = load_ensemble(
        path, lambda name: workshop.checkpoint, adapters_together([workshop.open_engine]), warm_up_s=0.05
    )
    with pytest.raises(EngineError, match=r"not answered within 0\.05 s: an engine hangs"):
        asyncio.run(asyncio.wait_for(work, 10))
    assert workshop.engine.closed


def test_a_manifest_may_be_a_file_of_another_name(workshop: Workshop) -> None:
    loaded = workshop.load(adapter(), file="mine.json")
    assert loaded.statuses[0].ready


def test_what_opening_the_engine_raises_is_passed_on(workshop: Workshop) -> None:
    def broken(checkpoint: Path, adapters: Mapping[str, Path]) -> ScriptedEngine:
        raise EngineError("no device")

    write_manifest(manifest_of(letter_member("m"), base=Base(model="t", sha256=sha(WEIGHTS))), workshop.folder)
    with pytest.raises(EngineError, match="no device"):
        asyncio.run(load_ensemble(workshop.folder, lambda name: workshop.checkpoint, adapters_together([broken])))


def test_an_ensemble_is_found_by_path_or_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_manifest(manifest_of(letter_member("m")), tmp_path / "ensembles" / "mine")
    assert find_ensemble("mine") == Path("ensembles/mine")
    assert find_ensemble(str(tmp_path / "ensembles" / "mine")) == tmp_path / "ensembles" / "mine"
    file = f"ensembles/mine/{FILE_NAME}"
    assert find_ensemble(file) == Path(file)


def test_an_ensemble_that_is_nowhere_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(ManifestError) as caught:
        find_ensemble("nowhere")
    assert caught.value.field == "ensemble"
    assert caught.value.found == "'nowhere'"
    assert caught.value.expected.startswith(
        f"a folder with {FILE_NAME}; looked in nowhere, {Path('ensembles') / 'nowhere'}, "
    )


def test_an_engine_that_misses_a_probe_gives_way_to_a_more_exact_one(workshop: Workshop) -> None:
    fast, exact = ScriptedEngine(knows={None: "Paris"}), workshop.engine
    fast.dtype, fast.logprob = "bfloat16", -1.2
    probed = letter_member("probed", probes=[NEXT])

    def load(openers: list[Any]) -> LoadedEnsemble:
        manifest = manifest_of(probed, base=Base(model="tiny", sha256=sha(WEIGHTS)))
        write_manifest(manifest, workshop.folder)
        return asyncio.run(load_ensemble(workshop.folder, lambda name: workshop.checkpoint, adapters_together(openers)))

    def opener(engine: ScriptedEngine) -> Any:
        return lambda checkpoint, adapters: engine

    loaded = load([opener(fast), opener(exact)])
    assert loaded.engine is exact
    assert fast.closed and not exact.closed
    fast.logprob, fast.closed = -1.01, False
    assert load([opener(fast), opener(exact)]).engine is fast
    fast.logprob = -1.2
    with pytest.raises(NotReadyError, match="tolerance in bfloat16"):
        load([opener(fast)])


def test_members_of_weight_0_are_opened_only_to_be_measured(workshop: Workshop) -> None:
    manifest = manifest_of(letter_member("plain"), adapter(weight=0.0), base=Base(model="tiny", sha256=sha(WEIGHTS)))
    write_manifest(manifest, workshop.folder)

    def load(*, all_members: bool) -> LoadedEnsemble:
        work = load_ensemble(
            workshop.folder,
            lambda name: workshop.checkpoint,
            adapters_together([workshop.open_engine]),
            all_members=all_members,
        )
        return asyncio.run(work)

    assert load(all_members=False).measured == []
    assert workshop.opened[-1][1] == {}
    loaded = load(all_members=True)
    assert [voter.member.name for voter in loaded.measured] == ["tuned"]
    assert [voter.member.name for voter in loaded.answerer.voters] == ["plain"]
    assert list(workshop.opened[-1][1]) == ["tuned"]


def test_a_check_reports_every_member_those_of_weight_0_and_those_that_fail_too(workshop: Workshop) -> None:
    members = [letter_member("plain", probes=[NEXT]), adapter(weight=0.0, probes=[NEXT])]
    workshop.engine.failing.add("tuned")
    write_manifest(manifest_of(*members, base=Base(model="tiny", sha256=sha(WEIGHTS))), workshop.folder)
    statuses = asyncio.run(
        check_ensemble(workshop.folder, lambda name: workshop.checkpoint, adapters_together([workshop.open_engine]))
    )
    assert statuses == [MemberStatus("plain", True, 0.0), MemberStatus("tuned", False, None, "out of memory")]
    assert workshop.engine.closed


def test_a_check_on_an_engine_that_does_not_start_gives_that_as_the_reason(workshop: Workshop) -> None:
    def broken(checkpoint: Path, adapters: Mapping[str, Path]) -> ScriptedEngine:
        raise EngineError("no device")

    write_manifest(manifest_of(letter_member("m"), base=Base(model="t", sha256=sha(WEIGHTS))), workshop.folder)
    work = check_ensemble(workshop.folder, lambda name: workshop.checkpoint, adapters_together([broken]))
    assert asyncio.run(work) == [MemberStatus("m", False, None, "no device")]
