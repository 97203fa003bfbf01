"""Add golden probes to ensembles that are released already: ``python -m training.release.renew_probes FOLDER…``.

Weights, temperatures and the probes that are there stay. Those are computed first: a member that does not reproduce
them is not what was released, and its ensemble is left as it is.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.core.errors import DamagedModelError
from agents.core.manifest import TOLERANCE_NATS, Manifest, Member
from agents.core.prompts import PromptRenderer
from agents.engines.tokenizer import ChatTokenizer
from agents.ensemble.base_model import FindModel, find_or_pull
from agents.ensemble.golden_probes import largest_gap
from agents.ensemble.loading import verified_weights
from agents.ensemble.manifest_file import write_manifest
from agents.ensemble.parity import MIN_PROBES
from agents.ensemble.placement import EnsembleWeights
from training.release.golden_probes import ProbeRecorder, base_probes
from training.release.probe_questions import PROBE_QUESTIONS


def renew_probes(folder: Path, find_model: FindModel) -> Manifest:
    """Give each member of the ensemble in ``folder`` at least ``MIN_PROBES`` probes, and the base its own.

    Raises as ``agents.ensemble.loading.load_ensemble`` does for the manifest and the weights, and DamagedModelError
    for a member that does not reproduce the probes it has.
    """
    manifest, weights = asyncio.run(verified_weights(folder, find_model, all_members=True))
    recorder = ProbeRecorder(PromptRenderer(ChatTokenizer(weights.base)), PROBE_QUESTIONS)
    members = [_renewed(member, weights, recorder) for member in manifest.members]
    base = manifest.base.model_copy(update={"probes": base_probes(members, weights.base, recorder)})
    renewed = Manifest.model_validate(manifest.model_copy(update={"members": members, "base": base}).model_dump())
    write_manifest(renewed, folder)
    return renewed


def _renewed(member: Member, weights: EnsembleWeights, recorder: ProbeRecorder) -> Member:
    opens = weights.base, weights.folders.get(member.name)
    if member.kind == "checkpoint":
        opens = weights.folders[member.name], None
    gap = largest_gap(member.probes, recorder.replay(opens, member.probes))
    if gap > TOLERANCE_NATS["float32"]:
        expected = "its recorded probes; export the ensemble anew"
        raise DamagedModelError(member.name, f"numbers that differ by {gap:.4f} nats", expected)
    wanted = max(MIN_PROBES - len(member.probes), 0)
    known = [probe.prompt for probe in member.probes]
    fresh = [probe for probe in recorder.record(opens, member.method) if probe.prompt not in known]
    return member.model_copy(update={"probes": [*member.probes, *fresh[:wanted]]})


def main(folders: Sequence[str]) -> None:
    for folder in folders:
        manifest = renew_probes(Path(folder), find_or_pull)
        counts = ", ".join(f"{member.name} {len(member.probes)}" for member in manifest.members)
        print(f"{folder}: {counts} probes")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
