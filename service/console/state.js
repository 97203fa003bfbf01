// What the service says of itself: the pool and its gates, the members and their probes.
import { json } from "./api.js";
import { $, attempt, make, table } from "./dom.js";

const reasons = (counts) => Object.entries(counts).map(([reason, count]) => `${reason}: ${count}`).join("; ") || "none";

export const showPool = () => attempt("pool", $("pool-again"), async () => {
  const pool = await json("pool");
  const served = Object.entries(pool.served).map(([source, count]) => `${count} ${source}`).join(", ");
  $("pool-result").replaceChildren(
    ...(pool.problem ? [make("p", "card bad", pool.problem)] : []),
    table("Questions that wait", ["Topic", "Level", "Waiting", "Served"],
      pool.waiting.map((row) => [row.topic, row.level, row.waiting, row.served])),
    table("What the gates refused", ["Gate", "Proposer", "Entered", "Refused", "Why"],
      pool.gates.map((row) => [row.gate, row.proposer, row.entered, row.refused, reasons(row.reasons)])),
    make("p", "soft", `Served since the start: ${served || "none"}.`));
});

const state = (ready) => make("span", ready ? "chip good" : "chip bad", ready ? "serves" : "left out");

export const showMembers = () => attempt("members", $("members-again"), async () => {
  $("members-result").replaceChildren();
  const ready = await json("ready");
  $("members-result").replaceChildren(
    table(`${ready.ensemble} on ${ready.engine}, ${ready.dtype}`, ["Member", "State", "Off by, nats", "Why"],
      ready.members.map((member) => [member.name, state(member.ready),
        member.difference_nats === null ? "unknown" : member.difference_nats.toPrecision(2), member.reason ?? "as released"])));
});

export function installState() {
  $("pool-again").addEventListener("click", showPool);
  $("members-again").addEventListener("click", showMembers);
}
