// The state of a match as its events tell it, by the same sums as the referee's scoreboard.
export const other = (side) => side === "home" ? "away" : "home";

export class Board {
  constructor() {
    this.started = null;
    this.ended = null;
    this.innings = { 1: Board.empty(), 2: Board.empty() };
  }

  static empty() {
    return { received: new Set(), survivors: null, disqualified: false, answers: new Map(), disputed: new Set() };
  }

  apply(event) {
    const innings = this.innings[event.innings];
    if (event.type === "match_started") this.started = event;
    else if (event.type === "match_ended") this.ended = event;
    else if (!innings) return;
    else if (event.type === "question_received") innings.received.add(event.index);
    else if (event.type === "questions_filtered") {
      innings.survivors = event.survivors;
      innings.disqualified = event.disqualified;
    } else if (event.type === "answer_received") innings.answers.set(event.index, event);
    else if (event.type === "key_judged") {
      if (event.status === "disputed" || event.status === "refuted") innings.disputed.add(event.index);
      else innings.disputed.delete(event.index);
    }
  }

  sides(number) {
    const asker = Number(number) === 1 ? "home" : "away";
    return { asker, answerer: other(asker) };
  }

  name(side) {
    return this.started?.[side]?.name ?? side;
  }

  right(number) {
    return [...this.innings[number].answers.values()].filter((answer) => answer.outcome === "right").length;
  }

  points(number, side) {
    const innings = this.innings[number];
    const valid = innings.survivors?.length ?? 0;
    if (valid === 0) return 0;
    const right = this.right(number);
    return 100 * (side === this.sides(number).answerer ? right : innings.answers.size - right) / valid;
  }

  score(side) {
    return this.points(1, side) + this.points(2, side);
  }

  summary(number) {
    const innings = this.innings[number];
    if (innings.survivors === null) {
      return `${innings.received.size} of ${this.started?.questions ?? "?"} questions received.`;
    }
    return `${innings.survivors.length} of ${innings.received.size} questions passed the filter; ` +
      `${this.right(number)} right of ${innings.answers.size} answers.` +
      (innings.disqualified ? " Too few passed: disqualified." : "") +
      (innings.disputed.size ? ` ${innings.disputed.size} keys disputed.` : "");
  }

  verdict() {
    const { winner, reason } = this.ended;
    return `${winner ? this.name(winner) + " wins" : "A draw"}: ${reason}.`;
  }

  // One event in words.
  sentence(event) {
    const place = event.innings ? `Innings ${event.innings}, ` : "";
    const time = typeof event.elapsed_s === "number" ? ` in ${event.elapsed_s.toFixed(2)} s` : "";
    const number = event.index + 1;
    switch (event.type) {
      case "match_started": return `${this.name("home")} against ${this.name("away")}, ${event.questions} questions each.`;
      case "match_resumed": return "The match goes on.";
      case "question_received": return `${place}question ${number} ${event.fault ? "missing: " + event.fault.detail : event.delivery}${time}.`;
      case "questions_filtered": return `${place}${event.survivors.length} questions pass the filter.`;
      case "answer_received": return `${place}answer ${number}${event.letter ? " " + event.letter : ""} ${event.outcome}${time}` +
        `${event.rule ? ": " + event.rule : ""}.`;
      case "key_judged": return `${place}key ${number} ${event.status} by ${event.by}.`;
      case "run_finished": return `${place}${this.name(event.side)} ran for its ${event.phase}${time}.`;
      case "innings_ended": return `Innings ${event.innings} ended.`;
      case "tie_break_answer": return `Tie-break: ${this.name(event.side)}, answer ${number} ${event.outcome}${time}.`;
      case "match_ended": return this.verdict();
      default: return String(event.type);
    }
  }
}
