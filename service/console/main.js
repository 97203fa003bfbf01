// The tabs, the status line, and what each tab does when it is opened.
import { installKey, json } from "./api.js";
import { installAnswer } from "./answer.js";
import { $ } from "./dom.js";
import { installMatches, listMatches } from "./matches.js";
import { installQuestion } from "./question.js";
import { installState, showMembers, showPool } from "./state.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const opened = { pool: showPool, members: showMembers, matches: listMatches };

function panelOf(tab) {
  return $(tab.getAttribute("aria-controls"));
}

function open(tab) {
  for (const each of tabs) {
    each.setAttribute("aria-selected", String(each === tab));
    each.tabIndex = each === tab ? 0 : -1;
    panelOf(each).hidden = each !== tab;
  }
  opened[panelOf(tab).id]?.();
}

for (const [place, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const last = tabs.length - 1;
    const next = {
      ArrowRight: place === last ? 0 : place + 1, ArrowLeft: place === 0 ? last : place - 1, Home: 0, End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    tabs[next].focus();
    open(tabs[next]);
  });
}

async function refreshStatus() {
  let wait = 15000;
  try {
    const body = await json("ready");
    const serving = body.members.filter((member) => member.ready).length;
    $("status").textContent = `Ready: ${body.ensemble} on ${body.engine} (${body.dtype}), ` +
      `${serving} of ${body.members.length} members.` + (body.detail ? ` ${body.detail}.` : "");
  } catch (error) {
    $("status").textContent = error.message;
    wait = 1500;
  }
  setTimeout(refreshStatus, wait);
}

installKey(() => open(tabs.find((tab) => tab.getAttribute("aria-selected") === "true")));
installAnswer();
installQuestion();
installState();
installMatches();
refreshStatus();
