// The words of a match: of its events, and of the board that the service folds from them.
export const other = (side) => side === "home" ? "away" : "home";

export const nameOf = (names, side) => names[side] ?? side;

export function summary(board, innings) {
  const answers = Object.keys(innings.outcomes).length;
  if (innings.survivors === null) return `${innings.received} of ${board.questions ?? "?"} questions received.`;
  return `${innings.survivors.length} of ${innings.received} questions passed the filter; ` +
    `${innings.right} right of ${answers} answers.` +
    (innings.disqualified ? " Too few passed: disqualified." : "") +
    (innings.disputed_keys ? ` ${innings.disputed_keys} keys disputed.` : "");
}

export const verdict = (names, { winner, reason }) => `${winner ? nameOf(names, winner) + " wins" : "A draw"}: ${reason}.`;

// One event in words.
export function sentence(names, event) {
  const place = event.innings ? `Innings ${event.innings}, ` : "";
  const time = typeof event.elapsed_s === "number" ? ` in ${event.elapsed_s.toFixed(2)} s` : "";
  const number = event.index + 1;
  switch (event.type) {
    case "match_started": return `${nameOf(names, "home")} against ${nameOf(names, "away")}, ${event.questions} questions each.`;
    case "match_resumed": return "The match goes on.";
    case "question_received": return `${place}question ${number} ${event.fault ? "missing: " + event.fault.detail : event.delivery}${time}.`;
    case "questions_filtered": return `${place}${event.survivors.length} questions pass the filter.`;
    case "keys_shown": return `${place}${Object.keys(event.rest).length === 1 ? "a key is" : "keys are"} shown.`;
    case "answer_received": return `${place}answer ${number}${event.letter ? " " + event.letter : ""} ${event.outcome}${time}` +
      `${event.rule ? ": " + event.rule : ""}.`;
    case "key_judged": return `${place}key ${number} ${event.status} by ${event.by}.`;
    case "run_finished": return `${place}${nameOf(names, event.side)} ran for its ${event.phase}${time}.`;
    case "innings_ended": return `Innings ${event.innings} ended.`;
    case "tie_break_answer": return `Tie-break: ${nameOf(names, event.side)}, answer ${number} ${event.outcome}${time}.`;
    case "match_ended": return verdict(names, event);
    default: return String(event.type);
  }
}
