// Taking a question from the Q-Agent: its key hidden until it is asked for, and its proof.
import { json } from "./api.js";
import { $, attempt, make } from "./dom.js";

// Any JSON as lists that can be read: names before values, plain lists in one line.
function readable(value) {
  if (Array.isArray(value)) {
    if (value.every((entry) => entry === null || typeof entry !== "object")) return make("span", "", value.join(", "));
    return make("ol", "", ...value.map((entry) => make("li", "", readable(entry))));
  }
  if (value !== null && typeof value === "object") {
    return make("dl", "", ...Object.entries(value).flatMap(([name, inner]) =>
      [make("dt", "", name.replaceAll("_", " ")), make("dd", "", readable(inner))]));
  }
  return make("span", "", value === null ? "none" : value);
}

function button(text, action) {
  const element = make("button", "", text);
  element.type = "button";
  element.addEventListener("click", () => action(element));
  return element;
}

function show(question) {
  const choices = make("ul", "choices", ...question.choices.map((choice) => make("li", "", choice)));
  const key = make("div");
  const proof = make("div");
  const measured = question.difficulty === null ? "" : ` ${question.difficulty}`;
  $("take-result").replaceChildren(
    make("p", "soft", make("span", "chip", question.topic), " ", make("span", "chip", question.level + measured), " ",
      question.degraded ? make("span", "chip bad", "degraded") : null),
    make("p", "text", question.question), choices,
    make("div", "row",
      button("Show the key", (pressed) => {
        pressed.disabled = true;
        choices.children["ABCD".indexOf(question.answer)]?.classList.add("key");
        key.replaceChildren(make("h2", "", `Key: ${question.answer}`), make("p", "", question.explanation));
      }),
      button("Show the proof", (pressed) => attempt("take", pressed, async () => {
        const found = await json(`question/${encodeURIComponent(question.id)}/proof`);
        proof.replaceChildren(make("h2", "", "Proof"), make("div", "proof", readable(found)));
      }))),
    key, proof);
  $("take-result").hidden = false;
}

export function installQuestion() {
  $("take-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = { difficulty: $("difficulty").value };
    if ($("topic").value) asked.topic = $("topic").value;
    if ($("seed").value) asked.seed = Number($("seed").value);
    attempt("take", $("take-form").querySelector("button"), async () => {
      $("take-result").hidden = true;
      show(await json("question?detail=true", { body: JSON.stringify(asked) }));
    });
  });
}
