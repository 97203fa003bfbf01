// Live matches: the log's events as they come, and the board that the service makes of them.
import { events, json } from "./api.js";
import { $, attempt, make, showProblem } from "./dom.js";
import { nameOf, other, sentence, summary, verdict } from "./board.js";

const MAX_FEED = 200;
const RETRY_MS = 2000;
let following = null;

export const listMatches = () => attempt("matches", $("matches-again"), async () => {
  const chosen = $("match").value;
  const { matches } = await json("matches");
  $("match").replaceChildren(...matches.map((match) => {
    const option = make("option", "", `${match.home} – ${match.away} · ${match.edition} · ${match.ended ? "ended" : "open"} · ` +
      new Date(match.changed_at_s * 1000).toLocaleString());
    option.value = match.name;
    option.selected = match.name === chosen;
    return option;
  }));
  $("match").disabled = $("match-form").querySelector("button").disabled = matches.length === 0;
  if (matches.length === 0) $("match").append(make("option", "", "no match is logged here: aiac play makes one"));
});

function score(board, names, side) {
  const ahead = board.score[side] > board.score[other(side)];
  return make("div", ahead ? "ahead" : "", make("span", "", nameOf(names, side)), make("strong", "", board.score[side].toFixed(1)));
}

function dot(outcome, number) {
  const kinds = { right: ["right", "✓"], wrong: ["wrong", "✗"] };
  const [kind, sign] = kinds[outcome] ?? [outcome ? "lost" : "", outcome ? "!" : "·"];
  const element = make("li", kind, sign);
  element.title = `question ${number + 1}: ${outcome ?? "not answered yet"}`;
  return element;
}

function inningsBox(board, names, innings) {
  const title = `Innings ${innings.number}: ${nameOf(names, innings.asker)} asks, ${nameOf(names, innings.answerer)} answers`;
  return make("div", "", make("h2", "", title), make("p", "soft", summary(board, innings)),
    make("ul", "dots", ...(innings.survivors ?? []).map((index) => dot(innings.outcomes[index], index))));
}

function draw(board, names) {
  $("match-board").replaceChildren(
    make("div", "score", score(board, names, "home"), make("span", "soft", "to"), score(board, names, "away")),
    ...board.innings.map((innings) => inningsBox(board, names, innings)));
}

async function follow(name, controller) {
  const names = {};
  let seen = null;
  let ended = false;
  $("match-feed").replaceChildren();
  $("match-board").replaceChildren();
  $("match-result").hidden = false;
  $("match-state").textContent = "Waiting for the first event …";
  while (!controller.signal.aborted && !ended) {
    try {
      for await (const message of events(`matches/${encodeURIComponent(name)}/events`, seen, controller.signal)) {
        if (message.event === "problem") throw new Error(message.data.detail);
        if (message.event === "board") {
          if (!controller.signal.aborted) draw(message.data, names);
          continue;
        }
        seen = message.id;
        const event = message.data;
        if (event.type === "match_started") Object.assign(names, { home: event.home.name, away: event.away.name });
        ended ||= event.type === "match_ended";
        $("match-state").textContent = ended ? verdict(names, event) : "Live.";
        $("match-feed").prepend(make("li", "", sentence(names, event)));
        while ($("match-feed").children.length > MAX_FEED) $("match-feed").lastChild.remove();
      }
      showProblem("matches", "");
    } catch (error) {
      if (controller.signal.aborted) return;
      showProblem("matches", error.message);
    }
    if (!ended) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

export function installMatches() {
  $("matches-again").addEventListener("click", listMatches);
  $("match-form").addEventListener("submit", (event) => {
    event.preventDefault();
    following?.abort();
    following = new AbortController();
    showProblem("matches", "");
    follow($("match").value, following);
  });
}
