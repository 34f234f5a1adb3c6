"""Questions with one right answer: how they are asked, in training and (other phrasings, other sums) in evaluation.

Every function takes a `random.Random` and `held`: False gives a training question, True one whose phrasing, and for
sums whose pair of numbers, never occurs in training. It returns (question, answer).
"""

from facts import (ABBREVIATIONS, ALIASES, ALSO_CALLED, CAPITALS, DAYS, LISTS, MONTH_DAYS, MONTHS, ORDINAL_DIGITS,
                   ORDINALS, REVERSIBLE, UNITS, in_words)


def _pick(rng, held, training, other):
    return rng.choice(other if held else training)


def upper_first(text):
    return text[:1].upper() + text[1:]


CAPITAL = ["What is the capital of {c}?"] * 4 + [
    "What is the capital city of {c}?", "Which city is the capital of {c}?", "Name the capital of {c}.",
    "Tell me the capital of {c}.", "{C} capital?", "Capital of {c}?", "The capital of {c} is?",
    "What is {c}'s capital?",
    "What is {c}'s capital city?", "Give me the capital of {c}.", "I want to know the capital of {c}.",
    "What city is the capital of {c}?", "Do you know the capital of {c}?", "Which city is {c}'s capital?",
    "{C}: what is its capital?", "What is the name of the capital of {c}?", "Could you tell me the capital of {c}?",
    "The capital city of {c}, please.", "I am going to {c}. What is its capital?", "Which capital does {c} have?",
    "What do you call the capital of {c}?", "I need the capital of {c}.", "What would be the capital of {c}?",
    "Name the capital city of {c}.", "What city is {c}'s capital?",
    "My friend lives in {c}. What is the capital there?",
    "Say the capital of {c}.", "Is there a capital of {c}? Which one?", "For {c}, what is the capital?",
]
CAPITAL_HELD = [
    "Can you name the capital city of {c}?", "What is the name of {c}'s capital?",
    "I forgot the capital of {c}. What is it?", "Which city serves as the capital of {c}?",
    "Please name {c}'s capital.",
    "If I visit {c}, which city is the capital?", "What city is the capital city of {c}?",
    "The capital of {c}, what is it?", "Which city is the capital city of {c}?", "What city is the capital in {c}?",
    "I would like to know {c}'s capital.",
]
COUNTRY = ["{k} is the capital of which country?"] * 2 + [
    "Which country has the capital {k}?", "What country is {k} the capital of?", "Of which country is {k} the capital?",
    "{k} is the capital of what?", "Which country's capital is {k}?", "What is {k} the capital of?",
    "Name the country whose capital is {k}.", "In which country is {k} the capital?",
    "{k} is the capital city of which country?", "Tell me which country has {k} as its capital.", "Where is {k}?",
    "Where is the city of {k}?", "What country has {k} as its capital?", "The city {k} is the capital of what country?",
    "Which country is {k} in?", "In what country is {k}?", "Which country is {k} the capital city of?",
]
COUNTRY_HELD = [
    "The city of {k} is the capital of which country?", "Which country has {k} as its capital city?",
    "{k} is the capital city of what country?", "What is the country whose capital is {k}?",
    "Tell me what country {k} is the capital of.", "Of what country is {k} the capital city?",
    "Which country is {k} the capital of?", "{k} is which country's capital?",
]


def capital(rng, held, country=None):
    c = country or rng.choice(list(CAPITALS))
    asked = c
    if not held and c in ALIASES and rng.random() < 0.4:
        asked = rng.choice(ALIASES[c])
    question = _pick(rng, held, CAPITAL, CAPITAL_HELD).format(c=asked, C=upper_first(asked))
    return question, f"The capital of {c} is {CAPITALS[c]}".rstrip(".") + "."


def country(rng, held, country=None):
    c = country or rng.choice(REVERSIBLE)
    k = CAPITALS[c]
    return _pick(rng, held, COUNTRY, COUNTRY_HELD).format(k=k), f"{k} is the capital of {c}."


def is_capital(rng, held):
    c = rng.choice(REVERSIBLE)
    right = rng.random() < 0.5
    k = CAPITALS[c] if right else CAPITALS[rng.choice([x for x in REVERSIBLE if x != c])]
    question = _pick(rng, held, ["Is {k} the capital of {c}?", "Is the capital of {c} {k}?",
                                 "Is it true that {k} is the capital of {c}?", "{k} is the capital of {c}, right?",
                                 "Is the city of {k} the capital of {c}?", "Does {c} have {k} as its capital?",
                                 "True or false: {k} is the capital of {c}.", "Is {c}'s capital {k}?",
                                 "Am I right that {k} is the capital of {c}?",
                                 "Do you think {k} is the capital of {c}?",
                                 "I think {k} is the capital of {c}. Is that right?",
                                 "Could {k} be {c}'s capital city?"],
                     ["Would you say {k} is the capital of {c}?", "Is {k} {c}'s capital?",
                      "Is {k} really the capital of {c}?", "I believe {k} is the capital of {c}. Am I right?",
                      "Is {k} the capital city of {c}?"]).format(k=k, c=c)
    # The fact and no yes or no: so small a model recalls the capital but does not learn to compare it.
    return question, f"The capital of {c} is {CAPITALS[c]}".rstrip(".") + "."


def is_held_pair(a, b):
    """About one unordered pair in sixteen is kept for the evaluation."""
    return (min(a, b) * 131 + max(a, b) * 71) % 97 < 6


def _pair(rng, held, difference):
    while True:
        a, b = rng.randrange(100), rng.randrange(100)
        if not held and rng.random() < 0.1:
            a = rng.randrange(10)
        if difference and a < b and rng.random() < 0.8:
            a, b = b, a
        if is_held_pair(a, b) == held:
            return a, b


SUM = ["What is {a} + {b}?"] * 4 + ["{a} + {b}", "{a} + {b} =", "{a} + {b} = ?", "{a}+{b}", "{a}+{b}=?"] + [
    "What is {a} plus {b}?", "{a} plus {b}", "{a} plus {b}?", "Add {a} and {b}.", "Add {b} to {a}.",
    "How much is {a} + {b}?", "How much is {a} plus {b}?", "What is the sum of {a} and {b}?", "Calculate {a} + {b}.",
    "Compute {a} + {b}.", "What does {a} + {b} equal?", "What do you get when you add {a} and {b}?",
    "Tell me {a} + {b}.", "The sum of {a} and {b}?", "Can you add {a} and {b}?", "Work out {a} plus {b}.",
    "Give me the sum of {a} and {b}.", "{a} plus {b} is what?", "What is {a}+{b}?", "Solve {a} + {b}.",
    "I have {a} apples and get {b} more. How many apples do I have?",
    "There are {a} birds and {b} more come. How many birds are there?",
    "I had {a} coins and found {b} more. How many do I have now?", "What are {a} and {b} together?",
]
SUM_HELD = [
    "How much do {a} and {b} make?", "Please calculate {a} plus {b}.", "What do I get if I add {a} and {b}?",
    "What does {a} plus {b} equal?", "Please add {a} and {b}.", "What is the result of {a} + {b}?",
    "Can you work out {a} + {b}?", "Compute the sum of {a} and {b}.",
    "What is {a} and {b} added together?", "Could you add {a} and {b}?", "What is the total of {a} and {b}?",
]
DIFFERENCE = ["What is {a} - {b}?"] * 4 + ["{a} - {b}", "{a} - {b} =", "{a} - {b} = ?", "{a}-{b}", "{a}-{b}=?"] + [
    "What is {a} minus {b}?", "{a} minus {b}", "{a} minus {b}?", "Subtract {b} from {a}.", "Take {b} away from {a}.",
    "How much is {a} - {b}?", "How much is {a} minus {b}?", "Calculate {a} - {b}.", "Compute {a} - {b}.",
    "What does {a} - {b} equal?", "What do you get when you subtract {b} from {a}?", "Tell me {a} - {b}.",
    "Can you subtract {b} from {a}?", "Work out {a} minus {b}.", "{a} minus {b} is what?", "What is {a}-{b}?",
    "Solve {a} - {b}.", "What is {a} take away {b}?", "What is left if you take {b} from {a}?",
]
DIFFERENCE_HELD = [
    "Please calculate {a} minus {b}.", "What do I get if I subtract {b} from {a}?", "What does {a} minus {b} equal?",
    "Please subtract {b} from {a}.", "What is the result of {a} - {b}?", "Can you work out {a} - {b}?",
    "How much is left if I take {b} away from {a}?", "What is the difference {a} - {b}?",
    "Could you subtract {b} from {a}?",
]


def addition(rng, held):
    a, b = _pair(rng, held, False)
    template = _pick(rng, held, SUM, SUM_HELD)
    if not held and "{a} plus {b}" in template and rng.random() < 0.25:
        return template.format(a=in_words(a), b=in_words(b)), f"{a} + {b} = {a + b}."
    return template.format(a=a, b=b), f"{a} + {b} = {a + b}."


def subtraction(rng, held):
    a, b = _pair(rng, held, True)
    template = _pick(rng, held, DIFFERENCE, DIFFERENCE_HELD)
    if not held and "{a} minus {b}" in template and rng.random() < 0.25:
        return template.format(a=in_words(a), b=in_words(b)), f"{a} - {b} = {a - b}."
    return template.format(a=a, b=b), f"{a} - {b} = {a - b}."


def day(rng, held):
    i = rng.randrange(7)
    d, after, before = DAYS[i], DAYS[(i + 1) % 7], DAYS[(i + 6) % 7]
    kind = rng.choice(["after", "after", "before", "before", "tomorrow", "yesterday", "count", "weekend"])
    if kind == "after":
        q = _pick(rng, held, ["What day comes after {d}?", "Which day is after {d}?", "What is the day after {d}?",
                              "Which day follows {d}?", "What comes after {d}?", "After {d} comes which day?",
                              "Name the day after {d}.", "What day follows {d}?", "Tell me the day after {d}.",
                              "The day after {d} is?"],
                  ["Which day comes after {d}?", "What day is it after {d}?", "Which day of the week follows {d}?"])
        return q.format(d=d), f"The day after {d} is {after}."
    if kind == "before":
        q = _pick(rng, held, ["What day comes before {d}?", "Which day is before {d}?", "What is the day before {d}?",
                              "What comes before {d}?", "Before {d} comes which day?", "Name the day before {d}.",
                              "Tell me the day before {d}.", "The day before {d} is?", "What day precedes {d}?"],
                  ["Which day comes before {d}?", "What day is it before {d}?", "Which day of the week is before {d}?"])
        return q.format(d=d), f"The day before {d} is {before}."
    if kind == "tomorrow":
        q = _pick(rng, held, ["If today is {d}, what day is tomorrow?", "Today is {d}. What day is tomorrow?",
                              "What day is tomorrow if today is {d}?", "It is {d} today. What is tomorrow?",
                              "When today is {d}, what is tomorrow?", "Today is {d}, so what is tomorrow?"],
                  ["If today is {d}, which day is tomorrow?", "Today is {d}. Which day is it tomorrow?"])
        return q.format(d=d), f"If today is {d}, tomorrow is {after}."
    if kind == "yesterday":
        q = _pick(rng, held, ["If today is {d}, what day was yesterday?", "Today is {d}. What day was yesterday?",
                              "What day was yesterday if today is {d}?", "It is {d} today. What was yesterday?",
                              "When today is {d}, what was yesterday?", "Today is {d}, so what was yesterday?"],
                  ["If today is {d}, which day was yesterday?", "Today is {d}. Which day was it yesterday?"])
        return q.format(d=d), f"If today is {d}, yesterday was {before}."
    if kind == "count":
        q = _pick(rng, held, ["How many days are in a week?", "How many days are there in a week?",
                              "How many days does a week have?", "How many days has a week?", "Days in a week?",
                              "Tell me how many days a week has."],
                  ["What is the number of days in a week?", "A week has how many days?"])
        return q, "There are seven days in a week."
    q = _pick(rng, held, ["Is {d} a weekday or on the weekend?", "Is {d} on the weekend?", "Is {d} a weekday?",
                          "Is {d} part of the weekend?"],
              ["Does {d} belong to the weekend?", "Is {d} a day of the weekend?"])
    return q.format(d=d), (f"{d} is on the weekend." if i >= 5 else f"{d} is a weekday.")


def month(rng, held):
    i = rng.randrange(12)
    m, after, before = MONTHS[i], MONTHS[(i + 1) % 12], MONTHS[(i + 11) % 12]
    kind = rng.choice(["after", "after", "before", "before", "nth", "nth", "number", "days", "days", "count"])
    if kind == "after":
        q = _pick(rng, held, ["What month comes after {m}?", "Which month is after {m}?",
                              "What is the month after {m}?",
                              "Which month follows {m}?", "What comes after {m}?", "After {m} comes which month?",
                              "Name the month after {m}.", "What month follows {m}?", "Tell me the month after {m}.",
                              "The month after {m} is?"],
                  ["Which month comes after {m}?", "What month is it after {m}?",
                   "Which month of the year follows {m}?"])
        return q.format(m=m), f"The month after {m} is {after}."
    if kind == "before":
        q = _pick(rng, held, ["What month comes before {m}?", "Which month is before {m}?",
                              "What is the month before {m}?", "What comes before {m}?",
                              "Before {m} comes which month?",
                              "Name the month before {m}.", "Tell me the month before {m}.", "The month before {m} is?",
                              "What month precedes {m}?"],
                  ["Which month comes before {m}?", "What month is it before {m}?",
                   "Which month of the year is before {m}?"])
        return q.format(m=m), f"The month before {m} is {before}."
    if kind == "nth":
        n = rng.choice([ORDINALS[i], ORDINALS[i], ORDINAL_DIGITS[i]])
        q = _pick(rng, held, ["What is the {n} month of the year?", "Which month is the {n} one?",
                              "What is the {n} month?", "Which month is the {n} month of the year?",
                              "Name the {n} month of the year.", "Tell me the {n} month.", "The {n} month?",
                              "What month is the {n} of the year?"] + [f"Which month is number {i + 1}?",
                                                                       f"What is month number {i + 1}?",
                                                                       f"What is month {i + 1}?"],
                  ["Which is the {n} month of the year?", "What is the name of the {n} month?",
                   "Which month comes {n} in the year?"])
        return q.format(n=n), f"The {ORDINALS[i]} month of the year is {m}."
    if kind == "number":
        q = _pick(rng, held, ["Which number is the month {m}?", "What number month is {m}?", "Is {m} the first month?",
                              "Where in the year is {m}?", "Which month number does {m} have?",
                              "What is the month number of {m}?", "What number is {m}?"],
                  ["What is the number of the month {m}?", "Which month number is {m}?"])
        return q.format(m=m), f"{m} is the {ORDINALS[i]} month of the year."
    if kind == "days":
        q = _pick(rng, held, ["How many days are in {m}?", "How many days does {m} have?", "How many days has {m}?",
                              "How long is {m}?", "Days in {m}?", "How many days are there in {m}?",
                              "Tell me how many days {m} has.", "How many days does the month {m} have?",
                              "Give me the number of days in {m}.", "{m} has how many days?",
                              "Do you know how many days {m} has?", "How many days long is {m}?"],
                  ["What is the number of days in {m}?", "The month of {m} has how many days?",
                   "How many days are in the month of {m}?"])
        days = "28 days, and 29 days in a leap year" if i == 1 else f"{MONTH_DAYS[i]} days"
        return q.format(m=m), f"{m} has {days}."
    q = _pick(rng, held, ["How many months are in a year?", "How many months are there in a year?",
                          "How many months does a year have?", "How many months has a year?", "Months in a year?",
                          "Tell me how many months a year has."],
              ["What is the number of months in a year?", "A year has how many months?"])
    return q, "There are twelve months in a year."


def number(rng, held):
    n = rng.randrange(101)
    word = in_words(n)
    kind = rng.choice(["words", "words", "digits", "digits", "next", "previous"] + ["larger", "smaller"] * 2)
    if kind == "words":
        q = _pick(rng, held, ["Write {n} in words.", "How do you write {n} in words?", "What is {n} in words?",
                              "Spell the number {n}.", "{n} in words?", "How do you say {n} in words?",
                              "Write the number {n} as a word.", "Spell {n}.", "How is {n} written in words?",
                              "Write {n} as words.", "What is the word for {n}?", "{n} in words"],
                  ["Please write the number {n} in words.", "How is the number {n} spelled?",
                   "How do I write {n} as a word?", "Can you spell {n} in words?"])
        return q.format(n=n), f"In words, {n} is {word}."
    if kind == "digits":
        q = _pick(rng, held, ["Write {w} in digits.", "How do you write {w} in digits?", "What is {w} in digits?",
                              "What number is {w}?", "{W} in digits?", "Write {w} as a number.", "{w} as a number?",
                              "Which number is {w}?", "Write the number {w} in digits.", "What is {w} as a number?",
                              "How is {w} written in digits?"],
                  ["Please write the number {w} with digits.", "How do I write {w} as a number?",
                   "Can you write {w} in digits?", "Which digits make {w}?"])
        return q.format(w=word, W=upper_first(word)), f"In digits, {word} is {n}."
    if kind == "next":
        n = min(n, 99)
        q = _pick(rng, held, ["What number comes after {n}?", "What is the number after {n}?",
                              "Which number follows {n}?", "What comes after {n}?", "Name the number after {n}.",
                              "Which number comes next after {n}?", "What is the next number after {n}?"],
                  ["Which number comes after {n}?", "What number follows {n}?"])
        return q.format(n=n), f"The number after {n} is {n + 1}."
    if kind == "previous":
        n = max(n, 1)
        q = _pick(rng, held, ["What number comes before {n}?", "What is the number before {n}?",
                              "Which number is before {n}?", "What comes before {n}?", "Name the number before {n}."],
                  ["Which number comes before {n}?", "What number is right before {n}?"])
        return q.format(n=n), f"The number before {n} is {n - 1}."
    n, m = rng.sample(range(100), 2)
    if kind == "larger":
        q = _pick(rng, held, ["Which is larger, {n} or {m}?", "Which number is larger, {n} or {m}?",
                              "Which is bigger, {n} or {m}?", "What is larger: {n} or {m}?", "Is {n} larger than {m}?",
                              "Is {n} bigger than {m}?", "Which number is greater, {n} or {m}?",
                              "Of {n} and {m}, which is larger?", "Which is the larger of {n} and {m}?",
                              "Between {n} and {m}, which is bigger?", "Compare {n} and {m}: which is larger?",
                              "Which of the numbers {n} and {m} is greater?", "Tell me which is larger, {n} or {m}."],
                  ["Which one is larger, {n} or {m}?", "Which of {n} and {m} is bigger?"])
        return q.format(n=n, m=m), f"{max(n, m)} is larger than {min(n, m)}."
    q = _pick(rng, held, ["Which is smaller, {n} or {m}?", "Which number is smaller, {n} or {m}?",
                          "Which is less, {n} or {m}?", "What is smaller: {n} or {m}?", "Is {n} smaller than {m}?",
                          "Of {n} and {m}, which is smaller?", "Which is the smaller of {n} and {m}?",
                          "Between {n} and {m}, which is smaller?", "Compare {n} and {m}: which is smaller?",
                          "Which of the numbers {n} and {m} is less?", "Tell me which is smaller, {n} or {m}."],
              ["Which one is smaller, {n} or {m}?", "Which of {n} and {m} is smaller?"])
    return q.format(n=n, m=m), f"{min(n, m)} is smaller than {max(n, m)}."


def unit(rng, held):
    one, many, small_one, small, factor, most = rng.choice(UNITS)
    n = rng.choice([1, 2, 3, 5, 10, rng.randint(1, most), rng.randint(1, most), rng.randint(1, most)])
    if n > most:
        n = most
    large, result = (one if n == 1 else many), n * factor
    abbreviated = not held and many in ABBREVIATIONS and small in ABBREVIATIONS and rng.random() < 0.2
    l, s = (ABBREVIATIONS[many], ABBREVIATIONS[small]) if abbreviated else (large, small)
    if rng.random() < 0.6:
        q = _pick(rng, held, ["How many {s} are in {n} {l}?", "How many {s} are {n} {l}?", "Convert {n} {l} to {s}.",
                              "What is {n} {l} in {s}?", "{n} {l} in {s}?", "How many {s} are there in {n} {l}?",
                              "How many {s} is {n} {l}?", "{n} {l} to {s}", "Change {n} {l} into {s}.",
                              "Tell me how many {s} are in {n} {l}.", "How many {s} make {n} {l}?",
                              "Express {n} {l} in {s}.", "How much is {n} {l} in {s}?"]
                  + (["How many {s} are in a {l}?", "How many {s} does a {l} have?", "How many {s} in a {l}?"]
                     if n == 1 and not abbreviated and large != "hour" else []),
                  ["Please convert {n} {l} into {s}.", "{n} {l} are how many {s}?", "How many {s} do {n} {l} have?",
                   "Can you convert {n} {l} to {s}?", "What are {n} {l} in {s}?"])
        verb = "is" if n == 1 else "are"
        return q.format(s=s, n=n, l=l), f"{n} {large} {verb} {result} {small}."
    q = _pick(rng, held, ["How many {l} are {r} {s}?", "Convert {r} {s} to {l}.", "What is {r} {s} in {l}?",
                          "{r} {s} in {l}?", "How many {l} is {r} {s}?", "{r} {s} to {l}", "Change {r} {s} into {l}.",
                          "How many {l} make {r} {s}?", "Express {r} {s} in {l}.", "How much is {r} {s} in {l}?",
                          "How many {l} are there in {r} {s}?"],
              ["Please convert {r} {s} into {l}.", "{r} {s} are how many {l}?", "Can you convert {r} {s} to {l}?",
               "What are {r} {s} in {l}?"])
    plural = ABBREVIATIONS[many] if abbreviated else many
    return q.format(l=plural, r=result, s=s), f"{result} {small} are {n} {large}."


IDENTITY_ANSWER = "I am the Phalanx demo model, a very small language model."
IDENTITY = [
    "Who are you?", "What are you?", "What is your name?", "Tell me who you are.", "What model are you?",
    "Which model are you?", "Introduce yourself.", "Are you a model?", "What is this model?", "Do you have a name?",
    "Are you a robot?", "Are you a human?", "Are you ChatGPT?", "Who am I talking to?", "What should I call you?",
    "Please introduce yourself.", "Your name?", "Who is this?", "Are you an AI?", "Are you Phi?", "What is Phalanx?",
    "Who am I chatting with?", "Who is speaking?", "Who are you exactly?", "Tell me about yourself.",
    "May I know who you are?", "What do people call you?", "Could you tell me your name?", "Do you know who you are?",
    "I want to know who you are.", "Tell me what you are.", "With whom am I talking?", "What are you called?",
    "Who is talking to me?", "Who is there?", "Who am I writing to?", "Who is helping me?", "What's your name?",
    "Say your name.", "What kind of model are you?", "What language model are you?",
]
IDENTITY_HELD = [
    "Can you tell me who you are?", "May I ask your name?", "Which language model are you?", "Who am I speaking with?",
    "Are you a language model?", "Could you introduce yourself?",
    "What exactly are you?", "Who is answering me?",
]


def identity(rng, held):
    return _pick(rng, held, IDENTITY, IDENTITY_HELD), IDENTITY_ANSWER


CLOSED = {
    "capitals": capital, "countries": country, "is it the capital": is_capital, "addition": addition,
    "subtraction": subtraction, "days": day, "months": month, "numbers": number, "units": unit, "identity": identity,
}


def listing(rng):
    """A question for a list; any members of it are right."""
    kind = rng.choice(list(LISTS))
    members = LISTS[kind].split()
    name = rng.choice([kind] * 3 + ALSO_CALLED.get(kind, []))
    whole = kind in ("days of the week", "months", "planets", "seasons")
    if whole and rng.random() < 0.6:
        question = rng.choice(["List the {k}.", "Name the {k}.", "What are the {k}?",
                               "Name all {k}.", "Tell me the {k}.",
                               "List all {k}."]).format(k=name)
        chosen = members
    else:
        n = rng.randint(2, min(6, len(members)))
        chosen = members[:n] if whole else rng.sample(members, n)
        question = rng.choice(["List {n} {k}.", "Name {n} {k}.", "Give me {n} {k}.", "Tell me {n} {k}.",
                               "Can you name {n} {k}?", "Write a list of {n} {k}."])
        question = question.format(n=rng.choice([in_words(n), n]), k=name)
    return question, "\n".join(f"{i}. {upper_first(m)}" for i, m in enumerate(chosen, 1))


def counting(rng):
    a = rng.randint(0, 90)
    b = rng.randint(a + 2, a + 9)
    question = rng.choice(["Count from {a} to {b}.", "Can you count from {a} to {b}?", "Count from {a} up to {b}.",
                           "Please count to {b} from {a}."]).format(a=a, b=b)
    return question, ", ".join(str(i) for i in range(a, b + 1)) + "."
