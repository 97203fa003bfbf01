// Live matches: the log's events as they come, and the score that they make.
import { events, json } from "./api.js";
import { $, attempt, make, showProblem } from "./dom.js";
import { Board, other } from "./board.js";

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

function score(board, side) {
  const ahead = board.score(side) > board.score(other(side));
  return make("div", ahead ? "ahead" : "", make("span", "", board.name(side)), make("strong", "", board.score(side).toFixed(1)));
}

function dot(outcome, number) {
  const kinds = { right: ["right", "✓"], wrong: ["wrong", "✗"] };
  const [kind, sign] = kinds[outcome] ?? [outcome ? "lost" : "", outcome ? "!" : "·"];
  const element = make("li", kind, sign);
  element.title = `question ${number + 1}: ${outcome ?? "not answered yet"}`;
  return element;
}

function innings(board, number) {
  const { asker, answerer } = board.sides(number);
  const state = board.innings[number];
  return make("div", "", make("h2", "", `Innings ${number}: ${board.name(asker)} asks, ${board.name(answerer)} answers`),
    make("p", "soft", board.summary(number)),
    make("ul", "dots", ...(state.survivors ?? []).map((index) => dot(state.answers.get(index)?.outcome, index))));
}

function draw(board, said) {
  $("match-board").replaceChildren(
    make("div", "score", score(board, "home"), make("span", "soft", "to"), score(board, "away")), innings(board, 1), innings(board, 2));
  $("match-state").textContent = board.ended ? board.verdict() : said;
}

async function follow(name, controller) {
  const board = new Board();
  let seen = null;
  $("match-feed").replaceChildren();
  $("match-result").hidden = false;
  draw(board, "Waiting for the first event …");
  while (!controller.signal.aborted && !board.ended) {
    try {
      let drawn = false;
      for await (const message of events(`matches/${encodeURIComponent(name)}/events`, seen, controller.signal)) {
        if (message.event === "problem") throw new Error(message.data.detail);
        seen = message.id;
        board.apply(message.data);
        $("match-feed").prepend(make("li", "", board.sentence(message.data)));
        while ($("match-feed").children.length > MAX_FEED) $("match-feed").lastChild.remove();
        // A long log comes at once: it is drawn once a frame and not once an event.
        if (!drawn) {
          drawn = true;
          requestAnimationFrame(() => { drawn = false; if (!controller.signal.aborted) draw(board, "Live."); });
        }
      }
      showProblem("matches", "");
    } catch (error) {
      if (controller.signal.aborted) return;
      showProblem("matches", error.message);
    }
    if (!board.ended) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
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
