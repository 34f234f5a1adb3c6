"""Short stories from a small vocabulary: a hero, a place, something that happens, an ending that fits it."""

from facts import NAMES

ANIMALS = """fox rabbit bear owl mouse cat dog duck frog hedgehog squirrel wolf lion elephant turtle bird horse pig
sheep goat cow hen bee fish tiger monkey deer beaver badger goose penguin whale snail hamster puppy kitten""".split()
PEOPLE = """boy girl king queen prince princess farmer baker sailor wizard knight fisherman giant tailor dragon robot
witch gardener shepherd miller teacher pirate painter""".split()
HEROES = ANIMALS + PEOPLE
ADJECTIVES = "little small young kind old brave clever shy happy lonely curious quiet friendly funny gentle".split()
PLACES = [
    "in a green forest", "by a blue lake", "on a high hill", "in a small village", "near the sea", "on an old farm",
    "in a cosy house", "under a big tree", "in a quiet valley", "at the edge of the woods", "by a little river",
    "in a sunny garden", "on a small island", "in a tall tower",
]
THINGS = ["red ball", "blue hat", "golden key", "little bell", "wooden boat", "silver ring", "warm scarf",
          "green umbrella", "old book", "yellow kite", "small drum", "tin cup"]
SPOTS = ["under the bed", "behind the door", "near the well", "in the tall grass", "under a stone", "by the gate",
         "in the barn", "behind a bush", "under the bridge", "in a basket"]
SKILLS = ["sing", "swim", "dance", "bake bread", "paint", "read", "whistle", "sew", "play the flute", "ride a bicycle",
          "fly a kite", "tell jokes"]
FOODS = ["bread", "cheese", "apples", "soup", "cake", "honey", "berries", "nuts", "carrots", "pie"]
TRAPS = ["in the mud", "in a deep hole", "in an old net", "under a branch", "on a thin rock", "in a thorn bush"]
MORALS = ["Helping others makes you happy too.", "A good friend is worth more than gold.", "Never give up.",
          "Sharing makes everything better.", "Be brave and be kind."]


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def _lost(r, n, h, f, fn):
    thing, spot, other = r.choice(THINGS), *r.sample(SPOTS, 2)
    return [f"One morning, {n} could not find the {thing}.", f'"Where is my {thing}?" asked {n}.',
            f"{fn} the {f} came to help.", f"They looked {other}, but it was not there.",
            f"Then they looked {spot}, and there it was!", f'"Thank you, {fn}," said {n}.']


def _hungry(r, n, h, f, fn):
    food = r.choice(FOODS)
    return [f"One day, {n} had a basket full of {food}.", f"On the road, {n} met {fn} the {f}, who was very hungry.",
            f'"Please take some of my {food}," said {n}.', f"They sat down in the sun and ate together.",
            f'"You are very kind," said {fn}.']


def _storm(r, n, h, f, fn):
    return [f"One night, there was a big storm.", f"{n} heard a knock at the door.",
            f"It was {fn} the {f}, cold and wet from the rain.", f'"Come in," said {n}, "and sit by the fire."',
            f"They drank hot {r.choice(['tea', 'milk', 'cocoa', 'soup'])} and told stories until the storm was over."]


def _learn(r, n, h, f, fn):
    skill = r.choice(SKILLS)
    return [f"{n} wanted to learn to {skill}.", f"At first it was hard, and {n} was sad.",
            f'"I can help you," said {fn} the {f}.', f"Every day they practised together.",
            f"After a week, {n} could {skill} very well.", f"Everyone came to watch and was glad."]


def _way_home(r, n, h, f, fn):
    return [f"One day, {n} went for a long walk and got lost.", f"It grew dark, and {n} was afraid.",
            f'"Do not worry," said {fn} the {f}. "I know the way."',
            f"They walked by the light of the {r.choice(['moon', 'stars', 'lamp'])}.",
            f"Soon {n} was home again and gave {fn} some {r.choice(FOODS)}."]


def _rescue(r, n, h, f, fn):
    return [f"One day, {n} heard a cry for help.", f"{fn} the {f} was stuck {r.choice(TRAPS)}!",
            f"{n} took a long {r.choice(['rope', 'stick', 'branch'])} and pulled and pulled.",
            f"At last {fn} was free.", f'"You saved me," said {fn}, and {n} smiled.']


def _treasure(r, n, h, f, fn):
    inside = r.choice(["gold coins", "old letters", "bright stones", "sweet cakes", "tiny toys"])
    return [f"One day, {n} found a map {r.choice(SPOTS)}.", f'"It shows a treasure!" said {n}.',
            f"Together with {fn} the {f}, {n} walked over the hills.", f"They dug and found a box full of {inside}.",
            f"They shared the {inside} with everyone they knew."]


def _race(r, n, h, f, fn):
    return [f"One day, {fn} the {f} said, \"I am faster than you.\"", f'"Then let us race," said {n}.',
            f"{fn} ran ahead and then lay down to sleep.", f"{n} went on and on and did not stop.",
            f"In the end {n} won the race.", f'"Well done," said {fn}, and they both laughed.']


EPISODES = [_lost, _hungry, _storm, _learn, _way_home, _rescue, _treasure, _race]
ENDINGS = ["From that day on, {n} and {fn} were best friends.", "And they lived happily ever after.",
           "That night, {n} slept well and dreamed of the next day.",
           "{n} and {fn} played together every day after that.",
           "{n} went home with a happy heart."]


def story(r, hero=None, name=None):
    """A story of 70 to 110 words."""
    h = hero or r.choice(HEROES)
    n = name or r.choice(NAMES)
    f = r.choice([x for x in (ANIMALS if r.random() < 0.8 else PEOPLE) if x != h])
    fn = r.choice([x for x in NAMES if x != n])
    adjective = r.choice(ADJECTIVES)
    place = r.choice(PLACES)
    lines = [r.choice([f"Once upon a time, there was {article(adjective)} {h} named {n}.",
                       f"Once upon a time, {article(adjective)} {h} named {n} lived {place}.",
                       f"There once was {article(adjective)} {h} called {n}."])]
    if place not in lines[0]:
        lines.append(f"{n} lived {place}.")
    lines += r.choice(EPISODES)(r, n, h, f, fn)
    lines.append(r.choice(ENDINGS).format(n=n, fn=fn))
    if r.random() < 0.15:
        lines.append(r.choice(MORALS))
    return " ".join(lines)


def request(r):
    """A user's wish for a story, and the story."""
    kind = r.random()
    h = r.choice(HEROES)
    if kind < 0.2:
        q = r.choice(["Tell me a story.", "Tell me a short story.", "Write a story.", "Can you tell me a story?",
                      "I want to hear a story.", "A story, please.", "Please write a short story.", "Story time!",
                      "Tell a story for children.", "Do you know a story?"])
        return q, story(r)
    if kind < 0.85:
        a = article(h)
        q = r.choice([f"Tell me a story about {a}."] * 2 + [
            f"Tell me a short story about {a}.", f"Write a story about {a}.", f"Can you tell me a story about {a}?",
            f"I want a story about {a}.", f"A story about {a}, please.", f"Write a short story about {a}.",
            f"Do you know a story about {a}?", f"Please tell a story about {a}.", f"Tell me about {a}.",
            f"Make up a story about {a}.", f"Tell me a tale about {a}.", f"Story about {a}"])
        return q, story(r, h)
    n = r.choice(NAMES)
    q = r.choice([f"Tell me a story about {article(h)} named {n}.", f"Write a story about {n} the {h}.",
                  f"Tell me a story about {article(h)} called {n}.", f"A short story about {n} the {h}, please."])
    return q, story(r, h, n)
