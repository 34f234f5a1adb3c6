"""The tokenizer: SentencePiece-BPE with byte fallback, then Phi-3's special tokens, and the form of a chat in ids.

`python tokens.py --out FILE` trains it on the corpus.
"""

import argparse
import random

import sentencepiece

import facts
import stories

SPECIALS = ["<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|placeholder2|>", "<|placeholder3|>",
            "<|placeholder4|>", "<|system|>", "<|end|>", "<|placeholder5|>", "<|placeholder6|>", "<|user|>"]
BASE_SIZE = 1781  # with the eleven special tokens 1792 rows, a multiple of 256


class Tokenizer:
    def __init__(self, path):
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=path)
        self.base = self.pieces.get_piece_size()
        self.special = {name: self.base + i for i, name in enumerate(SPECIALS)}
        self.size = self.base + len(SPECIALS)
        # Pieces of the names and heroes of stories.
        self.characters = {i for word in facts.NAMES + stories.HEROES for i in self.pieces.encode(word)}
        self.end_of_text, self.end = self.special["<|endoftext|>"], self.special["<|end|>"]

    def message(self, role, text):
        """`<|role|>\\ntext<|end|>\\n`: the special tokens swallow the white space that follows them."""
        return [self.special[f"<|{role}|>"], *self.pieces.encode(text.lstrip()), self.end]

    def prompt(self, turns, system=None):
        """The ids of a chat whose last message is the user's, up to and with `<|assistant|>`. No BOS, as Phi-3-mini.

        turns: (user, assistant) pairs, the last one's answer is ignored."""
        ids = self.message("system", system) if system else []
        for i, (user, answer) in enumerate(turns):
            ids += self.message("user", user)
            if i + 1 < len(turns):
                ids += self.message("assistant", answer)
        return ids + [self.special["<|assistant|>"]]

    def _story(self, text, context):
        """The ids of a story and their weights. Many words of it cannot be foreseen and count less; a name or hero
        that has come before must be kept and counts much."""
        ids = self.pieces.encode(text)
        known, weights = set(context), []
        for i in ids:
            weights.append(2.0 if i in known and i in self.characters else 0.5)
            known.add(i)
        return ids, weights

    def training(self, document):
        """The ids of a document and the weight in the loss of each one as a target."""
        if document.text is not None and document.kind == "story":
            ids, weights = self._story(document.text, ())
            return [*ids, self.end_of_text], [*weights, 1.0]
        if document.text is not None:
            ids = [*self.pieces.encode(document.text), self.end_of_text]
            return ids, [1.0] * len(ids)
        ids = self.message("system", document.system) if document.system else []
        weights = [0.0] * len(ids)
        for user, answer in document.turns:
            question = self.message("user", user)
            reply = self.message("assistant", answer)
            ids += question + reply
            worth = [1.0] * (len(reply) - 2) if len(reply) < 60 else self._story(answer, question)[1]
            weights += [0.0] * (len(question) + 1) + worth + [1.0]
        return ids + [self.end_of_text], weights + [0.1]

    def decode(self, ids):
        return self.pieces.decode([i for i in ids if i < self.base])


def main():
    import corpus
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True, help="the sentencepiece model to write (with its .model)")
    parser.add_argument("--documents", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    r = random.Random(options.seed)

    def sentences():
        for _ in range(options.documents):
            document = corpus.document(r)
            for text in [document.text, *(part for turn in document.turns for part in turn)]:
                if text:
                    yield from text.split("\n")

    with open(options.out, "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sentences(), model_writer=file, model_type="bpe", vocab_size=BASE_SIZE,
            byte_fallback=True, split_digits=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
            add_dummy_prefix=True, character_coverage=1.0, allow_whitespace_only_pieces=True, num_threads=1,
            unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=1)


if __name__ == "__main__":
    main()
