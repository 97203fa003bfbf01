// Building the page. Whatever the service sends is shown with textContent: text of a question, a team or an error is
// never markup.
export const $ = (id) => document.getElementById(id);

export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) =>
    child instanceof Node ? child : document.createTextNode(String(child))));
  return element;
}

const percent = (share) => (100 * share).toFixed(1) + " %";

export const milliseconds = (ms) => ms >= 10000 ? (ms / 1000).toFixed(1) + " s" : ms.toFixed(0) + " ms";

// A row of bars, one a choice, the likeliest set off.
export function bars(probabilities, className) {
  const entries = Object.entries(probabilities);
  const most = Math.max(...entries.map(([, share]) => share));
  return make("div", className, ...entries.map(([letter, share]) =>
    make("div", share === most ? "bar best" : "bar", make("span", "", letter), track(share), make("span", "", percent(share)))));
}

export function track(share) {
  const fill = make("div", "fill");
  fill.style.width = Math.max(0, Math.min(100, 100 * share)) + "%";
  return make("div", "track", fill);
}

// Cells are text or nodes; numbers stand to the right.
export function table(caption, headings, rows) {
  const body = rows.map((row) => make("tr", "", ...row.map((cell, column) => {
    const element = make("td", typeof cell === "number" ? "number" : "", make("span", "", cell));
    element.dataset.heading = headings[column];
    return element;
  })));
  const numeric = (column) => rows.length > 0 && typeof rows[0][column] === "number";
  const head = headings.map((heading, column) => {
    const element = make("th", numeric(column) ? "number" : "", heading);
    element.scope = "col";
    return element;
  });
  return make("div", "card", make("h2", "", caption), rows.length === 0 ? make("p", "soft", "None yet.") :
    make("table", "", make("thead", "", make("tr", "", ...head)), make("tbody", "", ...body)));
}

export function showProblem(name, text) {
  $(name + "-problem").textContent = text;
  $(name + "-problem").hidden = !text;
}

// Runs work with a button out of reach, and shows the sentence of what goes wrong.
export async function attempt(name, button, work) {
  button.disabled = true;
  showProblem(name, "");
  try {
    await work();
  } catch (error) {
    showProblem(name, error.message);
  } finally {
    button.disabled = false;
  }
}
