"""The text that the demo model learns from: a seeded, endless stream of chats and plain texts.

`python corpus.py [--seed S] [--count N]` prints some of it.
"""

import argparse
import dataclasses
import random

import facts
import questions
import stories

REFUSAL = "I do not know that. I am only a small demo model."
ARITHMETIC_LIMIT = "I can only add and subtract numbers up to 99."
ABILITIES = ("I can name capitals, add and subtract small numbers, tell days and months, convert simple units and tell "
             "short stories.")
HELLO = "Hello! How can I help you?"

# Weights of the kinds of turn in the chats.
MIX = {
    "capitals": 10, "countries": 6, "is it the capital": 3, "addition": 10, "subtraction": 18, "days": 4, "months": 5,
    "numbers": 14, "units": 6, "identity": 4, "small talk": 8, "story": 9, "list": 2, "counting": 1, "refusal": 6,
}

SMALL_TALK = [
    (["Hello", "Hello!", "Hi", "Hi!", "Hey", "Hey!", "Hi there", "Hello there!", "Greetings!", "Hey there", "Yo",
      "Hallo", "Howdy"], HELLO),
    (["Good morning", "Good morning!"], "Good morning! How can I help you?"),
    (["Good evening", "Good evening!"], "Good evening! How can I help you?"),
    (["Good afternoon", "Good afternoon!", "Good day!"], "Good afternoon! How can I help you?"),
    (["How are you?", "How are you today?", "How do you do?", "How is it going?", "Are you well?", "How are things?",
      "Hello, how are you?", "Hi! How are you?"], "I am fine, thank you. How can I help you?"),
    (["Thanks", "Thank you", "Thanks!", "Thank you!", "Thank you very much.", "Thanks a lot!", "Great, thanks."],
     "You are welcome!"),
    (["Bye", "Goodbye", "Bye!", "Goodbye!", "See you!", "See you later.", "Good night", "Good night!"],
     "Goodbye! Have a nice day!"),
    (["What can you do?", "What do you know?", "How can you help me?", "Help", "What can I ask you?", "Help me.",
      "What are you good at?", "What are your skills?", "Can you help me?", "What can I do here?"], ABILITIES),
    (["Who made you?", "Who created you?", "Who built you?", "Where do you come from?", "Who trained you?",
      "How were you made?"], "I was trained from scratch for the Phalanx project, on text written by a program."),
    (["How old are you?", "When were you born?", "What is your age?"], "I am a computer program, so I have no age."),
    (["Where are you?", "Where do you live?", "Where do you run?"],
     "I run on the worker processes of a Phalanx cluster."),
    (["How big are you?", "How many parameters do you have?", "How large are you?"],
     "I am very small: I have about three million parameters."),
    (["OK", "Okay", "Good", "Great!", "Nice", "I see.", "Cool"], "I am glad. Is there anything else?"),
    (["Test", "test", "This is a test.", "Are you there?", "Ping"], "I am here. How can I help you?"),
    (["I am sad.", "I feel sad.", "I am not happy."], "I am sorry to hear that. Shall I tell you a story?"),
    (["I am happy.", "I feel good.", "I am fine."], "I am glad to hear that!"),
    (["Tell me a joke.", "Do you know a joke?", "Make me laugh."],
     "Why did the cat sit on the computer? It wanted to watch the mouse."),
]

_FOLK = ["Narnia", "Atlantis", "Mordor", "Wonderland", "Oz", "Gondor", "Neverland", "Utopia", "Hogwarts", "the Moon",
         "Mars", "Lilliput", "Ruritania", "Westeros", "my house", "the sea"]
_UNKNOWN = [
    "What is the meaning of life?", "Who won the match yesterday?", "What is the weather like?",
    "Will it rain tomorrow?",
    "What time is it?", "What is the date today?", "Who is the president of {c}?", "Who is the king of {c}?",
    "How many people live in {c}?", "What is the population of {c}?", "What is the currency of {c}?",
    "Which language do people speak in {c}?", "How big is {c}?", "What is the highest mountain in {c}?",
    "Explain quantum physics.", "What is gravity?", "Who wrote Hamlet?", "Who was Albert Einstein?", "Write some code.",
    "Write a Python program.", "Translate this into French.", "How do I cook rice?", "What is the price of gold?",
    "What is love?", "How does a car work?", "Who discovered America?", "What is the speed of light?",
    "How tall is the Eiffel Tower?", "When did the war end?", "What is the best phone?", "Who is {n}?",
    "What is {n} doing?", "How old is {n}?", "Why is the sky blue?", "What is a black hole?", "How far is the moon?",
    "What did I eat today?", "Where is my {t}?", "Can you book a flight to {c}?", "What is your favourite film?",
    "Recommend a book.", "How do I learn the piano?", "What is the stock market?", "What is democracy?",
    "How many stars are there?", "When was {c} founded?", "What is the longest river in {c}?", "Sing me a song.",
    "What is a neural network?", "Which team is the best?", "Who is the richest person?", "What should I eat?",
]


def made_up_name(r):
    parts = [r.choice("b d f g k l m n p r s t v z br dr gr kr pl st tr zw".split())
             + r.choice("a e i o u ai ou".split()) for _ in range(r.randint(2, 3))]
    return questions.upper_first("".join(parts) + r.choice(["", "n", "nia", "land", "ria", "stan", "x"]))


def refusal(r):
    kind = r.random()
    if kind < 0.3:
        place = r.choice(_FOLK) if r.random() < 0.4 else made_up_name(r)
        return r.choice(questions.CAPITAL).format(c=place, C=questions.upper_first(place)), REFUSAL
    if kind < 0.52:
        a, b = r.randint(2, 99), r.randint(2, 99)
        q = r.choice(["What is {a} times {b}?", "{a} * {b}", "What is {a} divided by {b}?", "{a} / {b}", "{a} x {b}",
                      "Multiply {a} by {b}.", "What is {a} * {b}?", "Divide {a} by {b}.", "What is {A} + {b}?",
                      "What is {A} - {b}?", "{A} + {B}", "{A} plus {B}", "What is {A} + {B}?", "{A} - {B}",
                      "Add {A} and {B}.", "What is the square root of {a}?", "How much is {A} plus {b}?"])
        return q.format(a=a, b=b, A=r.randint(200, 9999), B=r.randint(200, 9999)), ARITHMETIC_LIMIT
    q = r.choice(_UNKNOWN).format(c=r.choice(list(facts.CAPITALS)), n=r.choice(facts.NAMES),
                                  t=r.choice(["key", "hat", "book", "phone", "dog", "car"]))
    return q, REFUSAL


OPENERS = ["Please tell me: ", "Hey, ", "Hello, ", "Hi, ", "Hi! ", "Hello! ", "So, ", "Quick question: ", "OK, ",
           "Now, ", "Tell me, ", "I have a question. ", "Question: ", "Please answer: ", "And ", "Well, ",
           "Hey! ", "Excuse me, "]
CLOSERS = [" Please.", " Thanks!", " Thank you.", " please", " I would like to know.", " Thanks"]
KEEP_UPPER = ("I ",)


def vary(r, text):
    """The way people type: an opening or closing word, contractions, lower case, a missing mark at the end."""
    if r.random() < 0.15:
        for long, short in (("What is ", "What's "), ("Which is ", "Which's "), ("Who are you", "Who're you")):
            if text.startswith(long) and r.random() < 0.9:
                text = short + text[len(long):]
                break
    if r.random() < 0.22:
        opener = r.choice(OPENERS)
        rest = text
        if opener.endswith(", ") or opener == "And ":
            first = text.split(" ")[0]
            if first in ("What", "What's", "Which", "How", "Name", "Tell", "Who", "Is", "Give", "Add", "Can", "Do",
                         "In",
                         "Of", "If", "Convert", "Write", "Calculate", "Compute", "Subtract", "Take", "Could", "Please"):
                rest = text[0].lower() + text[1:]
        text = opener + rest
    if r.random() < 0.07:
        text += r.choice(CLOSERS)
    if r.random() < 0.15:
        text = text.rstrip("?.!")
    elif r.random() < 0.03 and text[-1] in "?!":
        text += text[-1]
    elif r.random() < 0.02 and text[-1] == "?":
        text = text[:-1] + " ?"
    if r.random() < 0.15:
        text = text.lower()
        if r.random() < 0.3:
            text = text.replace("'", "")
    return text


def turn(r, kind):
    """One question of the kind, varied, and its answer."""
    if kind in questions.CLOSED:
        q, a = questions.CLOSED[kind](r, False)
    elif kind == "small talk":
        asked, a = r.choice(SMALL_TALK)
        q = r.choice(asked)
        return (q.lower().rstrip("!.?") if r.random() < 0.3 else q), a
    elif kind == "story":
        q, a = stories.request(r)
    elif kind == "list":
        q, a = questions.listing(r)
    elif kind == "counting":
        q, a = questions.counting(r)
    else:
        q, a = refusal(r)
    return vary(r, q), a


def following(r, kind):
    """A second question that is only understood from the first: two turns."""
    if kind == "capitals":
        c, d = r.sample(list(facts.CAPITALS), 2)
        second = r.choice(["And of {d}?", "And {d}?", "What about {d}?", "How about {d}?", "And the capital of {d}?"])
        first, answer = questions.capital(r, False, c)
        return [(vary(r, first), answer), (second.format(d=d), questions.capital(r, False, d)[1])]
    if kind == "addition":
        while True:
            first, answer = questions.addition(r, False)
            a, b = r.randrange(100), r.randrange(100)
            if not questions.is_held_pair(a, b):
                break
        second = r.choice(["And {a} + {b}?", "And {a} plus {b}?", "What about {a} + {b}?"]).format(a=a, b=b)
        return [(first, answer), (second, f"{a} + {b} = {a + b}.")]
    name = r.choice(facts.NAMES)
    first = r.choice(["My name is {n}.", "I am {n}.", "Hello, my name is {n}.", "Hi, I am {n}.", "I'm {n}.",
                      "Call me {n}."]).format(n=name)
    second = r.choice(["What is my name?", "Do you remember my name?", "Who am I?", "What's my name?"])
    turns = [(first, f"Nice to meet you, {name}! How can I help you?"), (second, f"Your name is {name}.")]
    if r.random() < 0.4:
        turns.insert(1, turn(r, "capitals"))
    return turns


SYSTEM = ["You are a helpful assistant.", "You are a helpful AI assistant.", "Answer briefly.",
          "You are a friendly bot.", "Be polite and short.", "You are the Phalanx demo model.",
          "You are a helpful digital assistant."]

# Kinds of plain text, with their weights: mostly sums, of which many fit into little text.
_FACTS = {"capitals": 2, "countries": 1, "addition": 4, "subtraction": 10, "days": 0.5, "months": 0.5, "numbers": 1,
          "units": 1}


@dataclasses.dataclass
class Document:
    """Chat turns (after an optional system message), or one plain text."""
    turns: list
    system: str | None = None
    text: str | None = None
    kind: str = ""


def plain(r):
    if r.random() < 0.25:
        return Document([], text=stories.story(r), kind="story")
    kind = r.choices(list(_FACTS), list(_FACTS.values()))[0]
    return Document([], text=" ".join(questions.CLOSED[kind](r, False)[1] for _ in range(r.randint(1, 8))), kind=kind)


def document(r, mix=MIX, long=False):
    """The next document; `long` ones are chats of many turns, to teach the later positions."""
    if not long and r.random() < 0.14:
        return plain(r)
    system = r.choice(SYSTEM) if r.random() < 0.08 else None
    kinds, weights = list(mix), list(mix.values())
    count = r.randint(8, 22) if long else r.choice([1, 1, 1, 1, 1, 2, 2, 3])
    if not long and r.random() < 0.03:
        return Document(following(r, r.choice(["capitals", "addition", "name"])), system, kind="following")
    chosen = r.choices(kinds, weights, k=count)
    return Document([turn(r, k) for k in chosen], system, kind=chosen[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    r = random.Random(options.seed)
    for _ in range(options.count):
        print(document(r))


if __name__ == "__main__":
    main()
