"""Writes the golden vectors of Tests/TokenizationTests/Resources.

Small tokenizers are trained on text made here, then the reference libraries encode seeded random text with them:
byte-level BPE with the pre-tokenizers of Phi-4 and Phi-4-mini (library `tokenizers`), SentencePiece BPE as Phi-3 has it
(library `sentencepiece`, and the same model as tokenizer.json). The chat templates are those published with the
models, rendered by transformers.

Made with tokenizers 0.23.3, sentencepiece 0.2.3, transformers 5.23.0:

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 transformers==5.23.0 jinja2==3.1.6
    python3 generate.py
"""

import io
import json
import pathlib
import random

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

OUT = pathlib.Path(__file__).resolve().parents[2] / "TokenizationTests" / "Resources"
SEED = 20260101

CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

WORDS = (
    "the harbour opens at six and nobody knows why don't we'll they've I'm you're he'd it's tide boat Über Straße "
    "naïve café crème ЛОДКА лодка гавань море вода λιμάνι θάλασσα 港口 船 海 水 灯塔 みなと ふね トウダイ 항구 등대 מזח ים "
    "سفينة بحر नाव समुद्र เรือ ทะเล return def class import self print value index 12 345 6789 2024 3.14 x=1 // /* */ "
    "path/to/file http://example.org/a?b=c 👍 👨‍👩‍👧 🇩🇪 e\u0301 o\u0308 ﬁn Ǆ ǅ ʰa ª º ² Ⅷ ½ — … “quote” ‘s"
).split()

ATOMS = [
    "a", "b", "e", "t", "the", "The", "THE", "hello", "World", "iPhone", "XMLHttp", "ß", "ſ", "É", "é", "e\u0301",
    "\u0301", "\u0300\u0301", "ʰ", "ª", "ǅ", "İ", "ı", "λ", "Λ", "Ж", "ж", "港", "口", "み", "カ", "ー", "한", "국", "א",
    "ب", "न", "ा", "ก", "ำ", "1", "12", "2024", "٣", "Ⅷ", "½", "²", "'", "'s", "'S", "'ſ", "'t", "'re", "'RE", "'Ve",
    "'m", "'LL", "'ll", "'d", "’s", "!", "?!", "...", "/", "//", "-", "_", "=", "(", ")", "<", ">", "<|", "|>", "#",
    "👍", "👨‍👩‍👧", "🏽", "\u200d", "\ufe0f", "\u00ad", "\u200b", "\ufeff", "\ufffd", "\u2581", " ", " ", " ", "  ", "    ",
    "\t", "\n", "\n\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2028", "\u0085", "\u000b", "\u001c", "\u0000", "\u007f",
    "\U0001d400", "\U00010400", "\U00010428", "\U000e0001", "\ue000", "\u0378",
]

PHI4_SPECIALS = [  # all of them strip on both sides, as in Phi-4's tokenizer_config.json
    ("<|endoftext|>", True), ("<|fim_prefix|>", True), ("<|fim_middle|>", True), ("<|fim_suffix|>", True),
    ("<|dummy_1|>", True), ("<|dummy_2|>", True), ("<|dummy_3|>", True), ("<|im_start|>", True), ("<|im_end|>", True),
    ("<|im_sep|>", True),
]
PHI4_MINI_SPECIALS = [
    ("<|endoftext|>", False), ("<|endofprompt|>", False), ("<|assistant|>", True), ("<|end|>", True), ("<|user|>", True),
    ("<|system|>", True), ("<|tool|>", True), ("<|/tool|>", True), ("<|tool_call|>", True), ("<|/tool_call|>", True),
]


def corpus(rng, lines):
    for _ in range(lines):
        yield " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 14))) + rng.choice([".", "!", "", "\n", ";\n\n"])


def random_texts(rng, specials, count):
    texts = ["", " ", "  ", "\n", " \n ", "a" * 300, " " * 70, "'s", "don't", "DON'T", "A'S'", "x  y", "x \n y", "1234567"]
    for length in [3, 6, 12, 24]:
        for _ in range(count // 4):
            atoms = ATOMS + (specials * 2 if rng.random() < 0.4 else [])
            texts.append("".join(rng.choice(atoms) for _ in range(rng.randint(1, length))))
    return texts


def write_lines(name, rows):
    with open(OUT / name, "w", encoding="ascii", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def byte_level(name, expression, specials, strip_left):
    rng = random.Random(SEED)
    tokenizer = Tokenizer(models.BPE(ignore_merges=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(expression), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator(list(corpus(rng, 3000)), trainer)
    tokenizer.add_special_tokens([
        AddedToken(content, lstrip=strip_left and strips, rstrip=strips, normalized=False) for content, strips in specials
    ])
    (OUT / f"{name}.tokenizer.json").write_text(
        json.dumps(json.loads(tokenizer.to_str()), separators=(",", ":")), encoding="ascii")
    rows = []
    for text in random_texts(rng, [content for content, _ in specials], 150):
        tokenizer.encode_special_tokens = False
        parsed = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        words = [end - start for _, (start, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        row = {"text": text, "plain": plain, "words": words}
        if parsed != plain:
            row["parsed"] = parsed
        rows.append(row)
    write_lines(f"{name}.cases.jsonl", rows)


def sentence_piece():
    rng = random.Random(SEED + 1)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line.replace("\n", "") for line in corpus(rng, 3000)), model_writer=model, vocab_size=640,
        model_type="bpe", byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity",
        add_dummy_prefix=True, remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, num_threads=1, minloglevel=2)
    (OUT / "sentencepiece.tokenizer.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())

    # The same model as transformers converts it: every way to cut a piece is a merge, the better score first.
    vocabulary = {processor.id_to_piece(i): i for i in range(processor.get_piece_size())}
    merges = []
    for piece, i in vocabulary.items():
        if processor.is_byte(i) or processor.is_control(i) or processor.is_unknown(i):
            continue
        cuts = [(piece[:k], piece[k:]) for k in range(1, len(piece))]
        cuts = [cut for cut in cuts if cut[0] in vocabulary and cut[1] in vocabulary]
        cuts.sort(key=lambda cut: (vocabulary[cut[0]], vocabulary[cut[1]]))
        merges += [(cut, processor.get_score(i)) for cut in cuts]
    merges = [cut for cut, _ in sorted(merges, key=lambda merge: merge[1], reverse=True)]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    specials = ["<|endoftext|>", "<|assistant|>"] + [f"<|placeholder{i}|>" for i in range(1, 5)] + [
        "<|system|>", "<|end|>", "<|placeholder5|>", "<|placeholder6|>", "<|user|>"]
    tokenizer.add_special_tokens([AddedToken("<unk>", normalized=False), AddedToken("<s>", normalized=False)])
    tokenizer.add_tokens([AddedToken("</s>", rstrip=True, normalized=False)])
    tokenizer.add_special_tokens([
        AddedToken(text, rstrip=text != "<|endoftext|>", normalized=False) for text in specials])
    (OUT / "sentencepiece.tokenizer.json").write_text(
        json.dumps(json.loads(tokenizer.to_str()), separators=(",", ":")), encoding="ascii")
    (OUT / "sentencepiece.added_tokens.json").write_text(
        json.dumps({text: tokenizer.token_to_id(text) for text in specials}), encoding="ascii")

    rows = []
    for text in random_texts(rng, specials + ["<s>", "</s>"], 150):
        parsed = tokenizer.encode(text, add_special_tokens=False).ids
        plain = processor.encode(text)
        row = {"text": text, "plain": plain}
        if parsed != plain:
            row["parsed"] = parsed
        rows.append(row)
    write_lines("sentencepiece.cases.jsonl", rows)


EACH_ROLE = (
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
TEMPLATES = {  # as published in the models' tokenizer_config.json
    "phi3": (
        "{% for message in messages %}{% if message['role'] == 'system' %}"
        "{{'<|system|>\n' + message['content'] + '<|end|>\n'}}" + EACH_ROLE),
    "phi35": (
        "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}"
        "{{'<|system|>\n' + message['content'] + '<|end|>\n'}}" + EACH_ROLE),
    "phi3Medium": (
        "{% for message in messages %}{% if (message['role'] == 'user') %}{{'<|user|>' + '\n' + message['content'] + "
        "'<|end|>' + '\n' + '<|assistant|>' + '\n'}}{% elif (message['role'] == 'assistant') %}"
        "{{message['content'] + '<|end|>' + '\n'}}{% endif %}{% endfor %}"),
    "phi4": (
        "{% for message in messages %}{% if (message['role'] == 'system') %}{{'<|im_start|>system<|im_sep|>' + "
        "message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + "
        "message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'assistant') %}"
        "{{'<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"),
    "phi4First": (
        "{% for message in messages %}{% if (message['role'] == 'system') %}{{'<|im_start|>system<|im_sep|>' + "
        "message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + "
        "message['content'] + '<|im_end|><|im_start|>assistant<|im_sep|>'}}"
        "{% elif (message['role'] == 'assistant') %}{{message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}"),
    "phi4Mini": (
        "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is "
        "not none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + "
        "'<|/tool|>' + '<|end|>' }}{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"),
}
TEMPLATES["phi3 with BOS"] = (
    "{{ bos_token }}{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n' + message['content'] + "
    "'<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}")
TEMPLATES["phi3Medium with BOS"] = "{{ bos_token }}" + TEMPLATES["phi3Medium"]
# The same in another layout: equal by the rules of white-space control, or different in a way that shows.
TEMPLATES["phi35 laid out"] = TEMPLATES["phi35"].replace("%}{%", "%}\n  {%").replace("{{'", '{{- "').replace(
    "<|\n'", '<|\n"').replace("\n'}}", "\\n' -}}").replace("{{- \"", "{{- '") + "\n"
TEMPLATES["phi4Mini printing line breaks"] = TEMPLATES["phi4Mini"].replace("}}{%", "}}\n{%")

CHATS = [
    [("user", "Hello!")],
    [("system", "Be brief."), ("user", "Why is the sea salt?")],
    [("system", ""), ("user", "  indented\n"), ("assistant", "\nYes.  "), ("user", "")],
    [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")],
    [("user", "héllo 港口 👍\t{{ bos_token }} {% if %}"), ("assistant", "'quoted' \"text\" \\n")],
]


def chats():
    rows = []
    for name, template in TEMPLATES.items():
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE()), bos_token="<s>", eos_token="<|endoftext|>", chat_template=template)
        chats = [[{"role": role, "content": content} for role, content in chat] for chat in CHATS]
        if name.startswith("phi4Mini"):
            chats.append([
                {"role": "system", "content": "Use tools.", "tools": '[{"name": "tide", "parameters": {}}]'},
                {"role": "user", "content": "When is high tide?"},
                {"role": "assistant", "content": '[{"name": "tide"}]'}, {"role": "tool", "content": "06:12"}])
        for chat in chats:
            for add_generation_prompt in [True, False]:
                rows.append({
                    "template": name, "messages": chat,
                    "add_generation_prompt": add_generation_prompt,
                    "rendered": tokenizer.apply_chat_template(
                        chat, add_generation_prompt=add_generation_prompt, tokenize=False)})
    (OUT / "chat-templates.json").write_text(json.dumps(TEMPLATES, indent=1) + "\n", encoding="ascii")
    write_lines("chats.jsonl", rows)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    byte_level("cl100k", CL100K, PHI4_SPECIALS, True)
    byte_level("o200k", O200K, PHI4_MINI_SPECIALS, False)
    sentence_piece()
    chats()
