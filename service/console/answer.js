// Asking the A-Agent: the answer, bars for the pool and each member, and when each had voted.
import { json } from "./api.js";
import { $, attempt, bars, make, milliseconds, track } from "./dom.js";

const LETTERED = /^\s*\(?([A-Ja-j])[).:]\s*/;

// JSON goes as it stands, so that the service's own reading, and its errors, are what is seen. Of plain text the lines
// that begin with a letter are the choices; where none does, the last four are.
function payload(text) {
  const pasted = text.trim();
  if (/^[{["]/.test(pasted)) return pasted;
  const lines = pasted.split("\n").map((line) => line.trim()).filter(Boolean);
  const first = lines.findIndex((line, place) => place > 0 && LETTERED.test(line));
  const cut = first > 0 ? first : Math.max(1, lines.length - 4);
  return JSON.stringify({ question: lines.slice(0, cut).join("\n"), choices: lines.slice(cut) });
}

function choiceText(sent, letter) {
  try {
    let row = JSON.parse(sent);
    if (typeof row === "string") row = JSON.parse(row);
    row = [row].flat()[0];
    row = row.questions?.[0] ?? row;
    if (!Array.isArray(row.choices)) return String(row.choices[letter] ?? "");
    const texts = row.choices.map(String);
    const lettered = texts.find((text) => LETTERED.exec(text)?.[1].toUpperCase() === letter);
    return (lettered ?? texts["ABCDEFGHIJ".indexOf(letter)] ?? "").replace(LETTERED, "");
  } catch {
    return "";
  }
}

function vote(member) {
  const steps = `${member.steps_done} of ${member.steps_total} steps`;
  return make("div", "vote", make("h3", "", make("span", "", member.name), make("span", "soft", steps)),
    member.probabilities ? bars(member.probabilities) : null,
    member.error ? make("p", "bad", member.error) : null);
}

function lane(name, ms, deadlineMs) {
  return make("div", "lane", make("span", "", name), track(ms === null ? 0 : ms / deadlineMs),
    ms === null ? make("span", "bad", "no vote") : make("span", "", milliseconds(ms)));
}

function show(answer, sent) {
  const lanes = answer.members.map((member) => lane(member.name, member.voted_ms, answer.deadline_ms));
  $("ask-result").replaceChildren(
    make("div", "verdict", make("span", "letter", answer.answer), make("div", "",
      make("strong", "", choiceText(sent, answer.answer)),
      make("p", "soft", `${milliseconds(answer.elapsed_ms)} of ${milliseconds(answer.deadline_ms)}. `,
        answer.degraded ? make("span", "chip bad", "degraded: members were left out or cut short")
          : make("span", "chip good", "every member voted")))),
    make("p", "", answer.reasoning),
    make("h2", "", "Pool"), bars(answer.probabilities ?? {}, "pooled"),
    make("h2", "", "Members"), make("div", "votes", ...answer.members.map(vote)),
    make("h2", "", "Time, against the deadline ", make("span", "soft", "the end of each line")),
    make("div", "", ...lanes, lane("answer", answer.elapsed_ms, answer.deadline_ms)));
  $("ask-result").hidden = false;
}

export function installAnswer() {
  const form = $("ask-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const sent = payload($("ask-text").value);
    const deadline = $("deadline").value;
    attempt("ask", form.querySelector("button"), async () => {
      $("ask-result").hidden = true;
      show(await json("answer?detail=true", { body: sent, ...(deadline ? { "X-Deadline-Ms": deadline } : {}) }), sent);
    });
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}
