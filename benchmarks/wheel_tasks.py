"""Three tasks to learn, each with cases for training and others held out: intents, orders as JSON, grounded answers.

Made by rule with a fixed seed, so that they can travel with the project. What is held out is worded by templates that
no case for training was made by. With --data intents and grounded answers are taken from public sets instead.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]

# few looks at the validation loss, for each costs what a step does
_SETTINGS = {"epochs": 1, "learning_rate": 1e-3, "samples": 0}
INTENTS = 20  # of banking77's 77
_INTENTS: dict[str, tuple[str, ...]] = {
    "track_parcel": (
        "Where is my {thing}?", "When will the {thing} arrive?", "My {thing} should have been here {day}.",
        "Can you tell me how far my {thing} has got?", "Still waiting for the {thing}, any news?",
        "The {thing} has not turned up yet.", "Which depot is the {thing} at right now?",
    ),
    "return_item": (
        "I want to send the {thing} back.", "How do I return a {thing}?", "The {thing} is not for me, take it back please.",
        "Can I still give back the {thing} that I bought {day}?", "Please send me a return label for the {thing}.",
        "I changed my mind about the {thing}.", "What do I do with a {thing} that I no longer want?",
    ),
    "damaged": (
        "The {thing} came broken.", "There is a crack in my {thing}.", "My {thing} stopped working {day}.",
        "The {thing} was scratched when I opened the box.", "One side of the {thing} is dented.",
        "I unpacked the {thing} and it fell apart.", "The {thing} makes a strange noise and will not start.",
    ),
    "wrong_item": (
        "I ordered a {thing} and got something else.", "This is not the {thing} that I chose.", "You sent me the wrong {thing}.",
        "The box says {thing}, but inside is another thing.", "The {thing} has the wrong colour.",
        "Instead of the {thing} there was a lamp in the parcel.", "You mixed up my {thing} with somebody else's.",
    ),
    "cancel_order": (
        "Please cancel my order of the {thing}.", "I do not want the {thing} any more, stop the order.",
        "Can the order from {day} still be stopped?", "Cancel the {thing} before it is sent.",
        "I ordered the {thing} twice, remove one.", "Call off what I ordered {day}.", "Is it too late to withdraw my order?",
    ),
    "refund_status": (
        "When do I get my money back for the {thing}?", "The refund for the {thing} is not on my account.",
        "You promised to pay me back {day}.", "How long does a refund take?", "Has the money for the {thing} been sent back?",
        "I returned the {thing} and nothing was paid out.", "My bank sees no refund from you.",
    ),
    "invoice": (
        "I need an invoice for the {thing}.", "Please send the bill for my order of {day}.", "Where can I download the receipt?",
        "The invoice has the wrong name on it.", "My company needs a receipt with tax for the {thing}.",
        "Can you write our tax number on the bill?", "I lost the receipt of the {thing}.",
    ),
    "change_address": (
        "I moved, please send the {thing} to my new flat.", "The address of my order is wrong.",
        "Can you deliver the {thing} to my office instead?", "Change the street for the order from {day}.",
        "I typed the wrong house number.", "Bring the {thing} to my neighbour's place.", "My postcode has changed since {day}.",
    ),
    "payment_failed": (
        "My card was refused for the {thing}.", "I cannot pay for the {thing}.", "The payment did not go through {day}.",
        "The checkout says that my card is invalid.", "Paying with my bank account ends in an error.",
        "It keeps declining me at the till page.", "The shop took no money and shows a red message.",
    ),
    "stock": (
        "Is the {thing} in stock?", "When will you have the {thing} again?", "Do you still sell the {thing}?",
        "How many of the {thing} are left?", "The {thing} is sold out, when does it come back?",
        "Tell me as soon as the {thing} can be bought.", "Can I reserve a {thing} that is not there yet?",
    ),
}  # fmt: skip
_THINGS = ("kettle", "bicycle pump", "desk lamp", "blue jacket", "coffee mill", "garden chair", "headset", "backpack",
           "toaster", "wall clock", "rain coat", "camera bag", "keyboard", "pair of boots", "tent", "frying pan")  # fmt: skip
_DAYS = (
    "on Monday",
    "yesterday",
    "last week",
    "on Friday",
    "two days ago",
    "on the third of May",
    "in March",
    "on Sunday",
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to learn. `gains` is the metric that must get better, `toml` its tables, `prompt` its prompt file."""

    name: str
    about: str
    gains: str
    metrics: tuple[str, ...]
    toml: str
    train: list[Record]
    held: list[Record]
    prompt: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


def tasks(data: Path | None, *, share: float) -> list[Task]:
    """All three; a `share` of their cases."""
    public = data is not None and (data / "banking77.cls.jsonl").exists()
    made = [intents(data if public else None), orders(), grounded(data if public else None)]
    for task in made:
        task.train[:] = task.train[: max(8, round(len(task.train) * share))]
        task.held[:] = task.held[: max(8, round(len(task.held) * share))]
    return made


def intents(data: Path | None) -> Task:
    """A message of a customer to one of so many intents."""
    train, held = _banking(data) if data else _letters()
    names = sorted({row["references"][0] for row in train})
    prompt = "---\nsystem: |\n  You sort messages of customers. Answer with one of these intents and nothing else:\n  "
    return Task(
        name="intents",
        about=f"{len(names)} intents of {'BANKING77' if data else 'made-up customers'}",
        gains="exact-match",
        metrics=("exact-match",),
        toml='[app.intents]\nuse = "direct"\nprompt = "intents"\nmax_tokens = 24\n',
        prompt=f"{prompt}{', '.join(names)}\n---\n{{{{ question }}}}\n",
        train=train,
        held=held,
        settings={**_SETTINGS, "batch": 16, "evaluate_every": 5},
    )


def _letters() -> tuple[list[Record], list[Record]]:
    chance = random.Random(7)
    train: list[Record] = []
    held: list[Record] = []
    for intent, templates in _INTENTS.items():
        for at, template in enumerate(templates):
            for _ in range(9):
                text = template.format(thing=chance.choice(_THINGS), day=chance.choice(_DAYS))
                # the last two wordings of each intent are never learned
                (train if at < 5 else held).append({"question": text, "references": [intent], "tags": [intent]})
    return _shuffled(_unlike(train)), _shuffled(_unlike(held))


def _banking(data: Path) -> tuple[list[Record], list[Record]]:
    rows = [json.loads(line) for line in (data / "banking77.cls.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = sorted({row["label"] for row in rows})
    chosen = set(random.Random(3).sample(labels, INTENTS))
    found = [{"question": row["text"], "references": [row["label"]]} for row in rows if row["label"] in chosen]
    found = _shuffled(_unlike(found))
    return found[120:400], found[:120]


def orders() -> Task:
    """An e-mail with an order to JSON with customer, items and date."""
    chance = random.Random(11)
    train = [_order(chance, _TRAIN_LETTERS) for _ in range(120)]
    held = [_order(chance, _HELD_LETTERS) for _ in range(80)]
    return Task(
        name="orders",
        about="e-mails with orders to JSON; held-out letters are worded otherwise",
        gains="exact-match",
        metrics=("exact-match", "token-f1"),
        toml='[app.orders]\nuse = "direct"\nprompt = "orders"\nmax_tokens = 120\n',
        prompt="---\nsystem: Read the order and answer with JSON. Its keys are customer, items (name, count) and date.\n"
        "---\n{{ question }}\n",
        train=_unlike(train),
        held=_unlike(held),
        settings={**_SETTINGS, "batch": 4, "evaluate_every": 9},
    )


_NAMES = ("Ada Berg", "Jonas Weiss", "Mira Patel", "Tom Okafor", "Lea Rossi", "Sven Dahl", "Noor Haddad", "Ines Costa",
          "Paul Novak", "Yuki Tanaka", "Emma Clark", "Luis Vega", "Hana Kim", "Otto Brandt", "Zoe Martin", "Igor Petrov",
          "Nina Falk", "Omar Aziz", "Ruth Cohen", "Karl Lund", "Maya Singh", "Finn Byrne", "Anna Kowalska", "Ben Adler")  # fmt: skip
_GOODS = ("notebook", "pencil", "stapler", "desk lamp", "folder", "whiteboard", "marker", "chair mat", "label printer",
          "envelope", "paper tray", "ruler", "calculator", "desk fan", "cable tie", "ink cartridge", "hole punch")  # fmt: skip
_TRAIN_LETTERS = (
    "Hello,\nplease send {items} to {name} by {date}.\nThank you",
    "Dear team,\n{name} needs {items}. The delivery date is {date}.",
    "Order of {date}\nCustomer: {name}\nItems: {items}",
    "Hi, this is {name}. I would like to order {items} for {date}.",
    "We need {items} on {date}. The customer is {name}.",
    "Good morning, could you deliver {items} on {date}? Regards, {name}",
)
_HELD_LETTERS = (
    "To whom it may concern: on {date} we expect {items}, to be billed to {name}.",
    "{name} here. Put {items} on the van of {date}, please.",
    "Subject: order\n\nKindly book {items}. Date wanted: {date}. Signed, {name}",
)


def _order(chance: random.Random, letters: tuple[str, ...]) -> Record:
    goods = chance.sample(_GOODS, chance.choice((1, 2, 2, 3)))
    counts = [chance.randint(1, 40) for _ in goods]
    items = [{"name": good, "count": count} for good, count in zip(goods, counts, strict=True)]
    said = [f"{count} {good}{'s' if count > 1 else ''}" for good, count in zip(goods, counts, strict=True)]
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    name, date = chance.choice(_NAMES), f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    text = chance.choice(letters).format(items=listed, name=name, date=date)
    right = json.dumps({"customer": name, "items": items, "date": date})
    return {"question": text, "references": [right]}


def grounded(data: Path | None) -> Task:
    """A question to a text: its answer, cited, or an abstention where the text does not say it."""
    train, held = _squad(data) if data else _sheets()
    return Task(
        name="grounded",
        about=f"{'SQuAD' if data else 'made-up fact sheets'}: cited answers, abstention where the text is silent",
        gains="token-f1",
        metrics=("token-f1", "abstention", "false-refusal", "citation-precision"),
        toml='[app.grounded]\nuse = "answer"\nmode = "draft"\nmax_tokens = 48\n',
        train=train,
        held=held,
        settings={**_SETTINGS, "batch": 4, "evaluate_every": 15},
    )


def _squad(data: Path) -> tuple[list[Record], list[Record]]:
    docs = {row["id"]: row for row in _rows(data / "squad.docs.jsonl")}
    groups: dict[str, list[Record]] = {}
    for row in _rows(data / "squad.qa.jsonl"):
        text = docs[row["doc_ids"][0]]["text"] if row["doc_ids"] else ""
        if 200 < len(text) < 600:
            made = {"question": row["question"], "answerable": bool(row["answerable"]), "context": text}
            made |= {"references": list(dict.fromkeys(row["answers"]))[:3]} if row["answerable"] else {}
            made |= {"tags": ["answerable" if row["answerable"] else "unanswerable"], "cluster": str(row["group"])}
            groups.setdefault(str(row["group"]), []).append(made)
    names = _shuffled(sorted(groups))  # an article is on one side
    held = [row for name in names[:12] for row in _shuffled(groups[name])[:10]]
    train = [row for name in names[12:] for row in _shuffled(groups[name])[:25]]
    return _shuffled(train)[:200], held


_PLACES = ("Arnwick", "Belmora", "Castlefen", "Dunharrow", "Elmsford", "Fairhaven", "Grimsel", "Hollowby", "Inverlea",
           "Juniper Bay", "Kestrel Point", "Larkmere", "Mossgate", "Northolt Mill", "Oakrun", "Pinewater")  # fmt: skip
# as it is told, as it is asked in training, as it is asked of what is held out, and what it may be
_FACTS: tuple[tuple[str, str, str, Callable[[random.Random], str]], ...] = (
    ("The library of {place} was opened in {x}.", "When was the library of {place} opened?",
     "In which year did {place} get its library?", lambda c: str(c.randint(1850, 2015))),
    ("Its bridge is {x} metres long.", "How long is the bridge of {place}?",
     "What length does the bridge at {place} have?", lambda c: str(c.randint(40, 900))),
    ("The mayor is {x}.", "Who is the mayor of {place}?", "Who governs the town of {place}?", lambda c: c.choice(_NAMES)),
    ("Its market is held every {x}.", "On which day is the market of {place} held?",
     "When can one go to the market in {place}?", lambda c: c.choice(("Monday", "Tuesday", "Thursday", "Saturday"))),
    ("The town is known for its {x}.", "What is {place} known for?",
     "For what is the town of {place} famous?", lambda c: c.choice(("glass", "cheese", "bells", "pottery", "ropes", "ink"))),
    ("About {x} people live there.", "How many people live in {place}?",
     "What is the population of {place}?", lambda c: f"{c.randint(2, 90)},{c.randint(100, 999)}"),
    ("The river {x} runs through it.", "Which river runs through {place}?",
     "What is the name of the river in {place}?", lambda c: c.choice(("Ash", "Tarn", "Weir", "Lode", "Brack", "Sill"))),
)  # fmt: skip


def _sheets() -> tuple[list[Record], list[Record]]:
    chance = random.Random(23)
    train = list(itertools.chain.from_iterable(_sheet(chance, at, learned=True) for at in range(80)))
    held = list(itertools.chain.from_iterable(_sheet(chance, at, learned=False) for at in range(80, 115)))
    return _shuffled(train), _shuffled(held)


def _sheet(chance: random.Random, number: int, *, learned: bool) -> Iterator[Record]:
    """A text with five of seven facts; three of them are asked, and one that it does not tell."""
    place = f"{chance.choice(_PLACES)} {number}"
    told = chance.sample(range(len(_FACTS)), 5)
    values = {at: _FACTS[at][3](chance) for at in told}
    text = f"{place} is a town. " + " ".join(_FACTS[at][0].format(place=place, x=values[at]) for at in told)
    for at in chance.sample(told, 3):
        asked = _asked(at, place, learned=learned)
        said = _FACTS[at][0].format(place=place, x=values[at])
        yield {"question": asked, "references": [said, values[at]], "context": text, "cluster": place,
               "tags": ["answerable"]}  # fmt: skip
    silent = chance.choice([at for at in range(len(_FACTS)) if at not in told])
    asked = _asked(silent, place, learned=learned)
    yield {"question": asked, "answerable": False, "context": text, "cluster": place, "tags": ["unanswerable"]}


def _asked(at: int, place: str, *, learned: bool) -> str:
    _, first, second, _ = _FACTS[at]
    return (first if learned else second).format(place=place)


def _rows(path: Path) -> Iterator[Record]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _unlike(rows: list[Record]) -> list[Record]:
    """Each question once."""
    return list({row["question"]: row for row in rows}.values())


def _shuffled(rows: list[Any]) -> list[Any]:
    return random.Random(1).sample(rows, len(rows))
