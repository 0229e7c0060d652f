"""Sentences of a small grammar that express an intensity about films, products and people."""

from dataclasses import dataclass

_SUBJECTS = {
    "film": (
        "the film",
        "the plot",
        "the lead actor",
        "the soundtrack",
        "the ending",
        "the dialogue",
        "the camera work",
        "the second half",
        "the opening scene",
        "the director",
    ),
    "product": (
        "the phone",
        "the battery",
        "the screen",
        "the delivery",
        "the manual",
        "the keyboard",
        "the packaging",
        "the new update",
        "the charger",
        "the support team",
    ),
    "person": (
        "my teacher",
        "the new neighbour",
        "our guide",
        "the waiter",
        "her brother",
        "the doctor",
        "my flatmate",
        "the choir",
        "our landlord",
        "his speech",
    ),
}

_ADJECTIVES = {
    1: ("good", "lovely", "wonderful", "brilliant"),
    -1: ("bad", "dull", "awful", "terrible"),
    0: ("ordinary", "usual", "average", "typical"),
}
# mild and strong; neutral ones have no degrees
_VERBS = {
    1: (("i liked", "i enjoyed"), ("i loved", "i really enjoyed")),
    -1: (("i disliked", "i regret"), ("i hated", "i really regret")),
    0: (("i noticed", "we discussed"), ("i noticed", "we discussed")),
}
_ENDINGS = {
    1: ("that made me smile", "i am happy about it", "it was a joy"),
    -1: ("that made me angry", "i am sad about it", "it was a pity"),
    0: ("that is all i know", "i have no view on it", "it was as expected"),
}
# A negated word expresses the opposite sentiment, mildly.
_NEGATORS = ("not", "never", "hardly")
_MILD, _STRONG = ("rather", "quite", "fairly", ""), ("so", "very", "truly", "absolutely")
_PLAIN = ("mostly", "again", "still", "")

_OPENERS = ("well", "you know", "look", "so", "listen", "okay", "um", "anyway", "as i said", "hm")
_CLOSERS = ("right", "you see", "i think", "i suppose", "or so", "that is it", "yeah", "there")
_TIMES = (
    "last night",
    "on monday",
    "this morning",
    "at the weekend",
    "yesterday",
    "last week",
    "in march",
    "after work",
    "on the way home",
    "two days ago",
)
_ASIDES = (
    "we went with my sister",
    "it was raining outside",
    "the bus came at nine",
    "there were many of us",
    "we sat near the door",
    "it took about an hour",
    "somebody called meanwhile",
    "i wrote it down",
    "the lights were on",
    "we had coffee first",
    "my cousin was there too",
    "it was in the old town",
)


@dataclass(frozen=True)
class TextHabits:
    """Habits of a speaker that do not depend on emotion."""

    opener: str
    closer: str
    topic: str

    @classmethod
    def draw(cls, rng):
        return cls(_pick(rng, _OPENERS), _pick(rng, _CLOSERS), _pick(rng, tuple(_SUBJECTS)))


def write_sentence(rng, shown, habits, noise):
    """Write a sentence that expresses an intensity in [-3, 3], neutral within 0.5 of zero.

    Noise in [0, 1] is the rate of negations, typos and quoted opinions. Words are lower-case, with
    commas between clauses.
    """
    sign = 0 if abs(shown) <= 0.5 else (1 if shown > 0 else -1)
    strong = int(abs(shown) > 1.5 + 0.5 * rng.random())
    topic = habits.topic if rng.random() < 0.5 else _pick(rng, tuple(_SUBJECTS))
    subject = _pick(rng, _SUBJECTS[topic])

    clauses = [_clause(rng, sign, strong, subject, negation_rate=0.5 * noise)]
    if rng.random() < 0.9:
        clauses.append(_pick(rng, _ENDINGS[sign]))
    if rng.random() < 0.5:
        clauses.insert(int(rng.integers(len(clauses) + 1)), _pick(rng, _ASIDES))
    if rng.random() < 0.3 * noise:
        other = int(rng.integers(-1, 2))
        clauses.append(f"my friend found it {_pick(rng, _ADJECTIVES[other])}")
    if rng.random() < 0.5:
        clauses[0] = f"{habits.opener} {clauses[0]}"
    if rng.random() < 0.3:
        clauses.append(habits.closer)
    return ", ".join(" ".join(_swap(rng, word, noise) for word in c.split()) for c in clauses)


def _clause(rng, sign, strong, subject, negation_rate):
    time = _pick(rng, _TIMES) if rng.random() < 0.6 else ""
    if rng.random() < 0.4:
        return f"{_pick(rng, _VERBS[sign][strong])} {subject} {time}"
    verb = "was" if time or rng.random() < 0.5 else "is"
    if sign and not strong and rng.random() < negation_rate:
        adjective = _pick(rng, _ADJECTIVES[-sign])
        return f"{subject} {verb} {_pick(rng, _NEGATORS)} {adjective} {time}"
    degree = _pick(rng, _PLAIN if sign == 0 else (_STRONG if strong else _MILD))
    return f"{subject} {verb} {degree} {_pick(rng, _ADJECTIVES[sign])} {time}"


def _swap(rng, word, noise):
    """Occasionally swap two letters inside a longer word, as a typo."""
    if len(word) < 5 or rng.random() >= 0.05 * noise:
        return word
    i = int(rng.integers(1, len(word) - 2))
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def _pick(rng, options):
    return options[int(rng.integers(len(options)))]
