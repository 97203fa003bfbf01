"""Reads a blood relation puzzle's English and decides it in every family that its facts make."""

from __future__ import annotations

import re

from families import FEMALE, MALE, Fact, Tale, families
from verdicts import decided

LINK = "(father|mother|son|daughter|brother|sister|husband|wife)"
SPEAKER, OTHER = "the speaker", "the other"


def read_facts(text):
    facts = []
    for sentence in re.findall(r"[^.]+\.", text):
        of, possessive = (
            re.fullmatch(pattern, sentence.strip())
            for pattern in (rf"(\w+) is the {LINK} of (\w+)\.", rf"(\w+) is (\w+)'s {LINK}\.")
        )
        assert of or possessive, f"cannot read {sentence!r}"
        facts.append(Fact(of[2], of[1], of[3]) if of else Fact(possessive[3], possessive[1], possessive[2]))
    return facts


def read_codes(text):
    codes = dict(re.findall(rf"P (\S) Q means that P is the {LINK} of Q", text))
    return codes or dict(re.findall(rf'(\S) means "is the {LINK} of"', text))


def decode(expression, codes):
    parts = expression.split()
    return [Fact(codes[parts[i + 1]], parts[i], parts[i + 2]) for i in range(0, len(parts) - 2, 2)]


def read_chain(text):
    """Facts from the speaker on: "the only son of my mother's brother" begins with the mother."""
    steps = []
    while match := re.fullmatch(rf"the (only )?{LINK} of (.+)", text):
        steps.insert(0, (match[2], bool(match[1])))
        text = match[3]
    head = re.sub(r"^my ", "", text).split("'s ")
    steps = [(part.split()[-1], part.startswith("only ")) for part in head] + steps
    people = [SPEAKER, *(f"after {place} steps" for place in range(1, len(steps))), OTHER]
    return [Fact(link, people[i + 1], people[i], only) for i, (link, only) in enumerate(steps)]


def named(facts):
    """A tale about people who are called by different names; a first name tells no gender here."""
    names = frozenset(name for fact in facts for name in (fact.a, fact.b))
    return Tale(tuple(facts), facts[0].b, MALE + FEMALE, names)


def read(question, choices):
    """For every choice a tale, and what the choice says of it: a word for what the first person is to the second."""
    words = [choice.lower() for choice in choices]
    spoken = re.fullmatch(r'(.+), (?:a (man|woman) says|saying), "(?:He|She) is (.+)\." How is (.+)\?', question)
    if spoken:
        scene, speaker, chain, asked = spoken.groups()
        speaker = speaker or re.match(r"A (man|woman) introduces", scene)[1]
        tale = Tale(
            tuple(read_chain(chain)), SPEAKER, {"man": MALE, "woman": FEMALE}[speaker], frozenset((SPEAKER, OTHER))
        )
        pair = (SPEAKER, OTHER) if asked.startswith("the speaker related") else (OTHER, SPEAKER)
        return [(tale, (word, *pair)) for word in words]
    codes = read_codes(question)
    which = re.search(r"Which expression means that (\w+) is the (.+) of (\w+)\?", question)
    if which:
        return [(named(decode(choice, codes)), (which[2], which[1], which[3])) for choice in choices]
    coded = re.search(r"If (.+), how is", question)
    body, asked = re.fullmatch(r"(?:(.*)[.] )?([^.]+\?)", question).groups()
    tale = named(decode(coded[1], codes) if coded else read_facts(f"{body}."))
    how = re.search(r"[Hh]ow is (\w+) related to (\w+)\?", asked)
    if how:
        return [(tale, (word, how[1], how[2])) for word in words]
    who, possessive = re.fullmatch(r"Who is the (.+) of (\w+)\?", asked), re.fullmatch(r"Who is (\w+)'s (.+)\?", asked)
    word, x = who.groups() if who else possessive.groups()[::-1]
    return [(tale, (word, choice, x)) for choice in choices]


def solve(question, choices):
    """Places of the choices that hold in every family. Raises AssertionError where there is none for a choice."""
    known = {}
    truths = []
    for tale, (word, a, b) in read(question, choices):
        if tale not in known:
            known[tale] = list(families(tale))
        truths.append([people[a] in family.called(word, people[b]) for family, people in known[tale]])
    return decided("must", truths)
