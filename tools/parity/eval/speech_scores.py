"""Makes the fixtures `transcription.json` and `normalise.json` of crates/sensorium-eval with jiwer and Transformers.

    pip install -r tools/parity/requirements.txt
    python tools/parity/eval/speech_scores.py

Seed 20261.  Long texts are not written out: the test draws the same ones, with the same generator.
"""

import importlib.metadata
import json
import pathlib
import random

import jiwer
from jiwer.alignment import _construct_comparison_string

import speech_texts
from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

FIXTURES = pathlib.Path(__file__).parents[3] / "crates/sensorium-eval/tests/fixtures"
SEED = 20261
rng = random.Random(SEED)


def write(name, packages, **content):
    versions = {package: importlib.metadata.version(package) for package in packages}
    head = {"made_by": "tools/parity/eval/speech_scores.py", "seed": SEED, "versions": versions}
    path = FIXTURES / name
    path.write_text(json.dumps({**head, **content}, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size, "bytes", versions)


# Transcription.


def counts(output):
    return [output.hits, output.substitutions, output.deletions, output.insertions]


def chunks(alignment):
    edit = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}
    return [
        [edit[c.type], c.ref_start_idx, c.ref_end_idx, c.hyp_start_idx, c.hyp_end_idx] for c in alignment
    ]


def printed(output, words, width=None):
    return [
        _construct_comparison_string(r, h, a, include_space_seperator=words, line_width=width)
        for r, h, a in zip(output.references, output.hypotheses, output.alignments)
    ]


def corpus(name, *pairs):
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    words = jiwer.process_words(references, hypotheses)
    letters = jiwer.process_characters(references, hypotheses)
    return {
        "name": name,
        "pairs": pairs,
        "rates": [words.wer, words.mer, words.wil, words.wip, letters.cer],
        "words": counts(words),
        "characters": counts(letters),
        "word_chunks": [chunks(a) for a in words.alignments],
        "character_chunks": [chunks(a) for a in letters.alignments],
        "printed": printed(words, True),
        "wrapped": printed(words, True, 40),
        "printed_characters": printed(letters, False),
    }


def sentence(vocabulary, most):
    return " ".join(rng.choice(vocabulary) for _ in range(rng.randrange(most + 1)))


corpora = [
    corpus("by hand", ["the cat sat on the mat", "the cat sit on mat"]),
    corpus("its documentation", ["short one here", "shoe order one"],
           ["quite a bit of longer sentence", "quite bit of an even longest sentence here"]),
    corpus("the same", ["hello world", "hello world"]),
    corpus("nothing in common", ["a b c", "x y z"], ["a b c", "x"], ["a", "x y z"]),
    corpus("silence heard as silence", ["", ""]),
    corpus("silence heard as words", ["", "a b c"]),
    corpus("words heard as silence", ["a b c", ""]),
    corpus("silence among words", ["", "uh"], ["a b", "a b"], ["c", ""]),
    corpus("white space", ["  the  cat\tsat ", "the cat\t\tsat\n"], ["a\u00a0b c", "a b\u2003\u2003c"],
           ["a\u001fb", "a\u001f\u001fb"], [" \t ", "\n"], ["a \u200b b", "a b"]),
    corpus("Unicode", ["naïve café", "naive cafe\u0301"], ["東京 大学", "東京大學"], ["👩‍👩‍👧 ok", "👩 ok"],
           ["Straße", "STRASSE"], ["привет мир", "превет мир"], ["ｆｕｌｌ", "full"]),
    corpus("equally cheap", ["a b", "b a"], ["a a b", "a b b"], ["x a y", "a x y a"], ["a b c d", "b c d a"],
           ["a", "a a a"], ["a a a", "a"], ["a b a b", "b a"], ["b a", "a b a b"], ["a b c", "c b a"]),
    corpus("long lines", ["one two three four five six seven eight nine ten eleven",
                          "one too three for five sixteen seven ate nine eleven twelve"],
           ["a " * 30, "a b " * 15]),
]
for size in range(2, 6):
    vocabulary = ["a", "bb", "ccc", "d", "ee"][:size]
    corpora.append(corpus(f"random, {size} words", *[
        [sentence(vocabulary, 11), sentence(vocabulary, 11)] for _ in range(14)
    ]))
for _ in range(3):
    text = [rng.choice("ab cd") for _ in range(180)]
    other = [rng.choice("ab cd") if rng.random() < 0.3 else c for c in text if rng.random() < 0.9]
    corpora.append(corpus("random, some letters wrong", ["".join(text), "".join(other)]))
for case in corpora[-7:]:  # the print is compared where it is short
    del case["printed"], case["wrapped"], case["printed_characters"]


class Draws:
    """Knuth's linear congruential generator, in 64 bits."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self, below):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % below


def long_texts(seed, vocabulary, length, other, wrong):
    """A text, and another of its own (`other` words) or the same with `wrong` percent of each kind of mistake."""
    draw = Draws(seed)
    reference = [draw(vocabulary) for _ in range(length)]
    if other:
        return reference, [draw(vocabulary) for _ in range(other)]
    hypothesis = []
    for word in reference:
        kind, new = draw(100), draw(vocabulary)
        if kind < wrong:  # left out
            continue
        if kind < 2 * wrong:
            hypothesis.append(new)
            continue
        hypothesis.append(word)
        if kind < 3 * wrong:
            hypothesis.append(new)
    return reference, hypothesis


def digest(alignment):
    """FNV-1a over the chunks, written out."""
    value = 0xCBF29CE484222325
    for byte in ";".join(" ".join(map(str, c)) for c in chunks(alignment)).encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def long_case(name, **texts):
    reference, hypothesis = (" ".join(map(str, text)) for text in long_texts(**texts))
    output = jiwer.process_words(reference, hypothesis)
    return {"name": name, **texts, "words": counts(output), "digest": digest(output.alignments[0])}


write(
    "transcription.json", ["jiwer", "rapidfuzz"], corpora=corpora,
    long=[
        long_case("just under where a table is halved", seed=1, vocabulary=4, length=2000, other=2000, wrong=0),
        long_case("halved once", seed=2, vocabulary=4, length=2100, other=2100, wrong=0),
        long_case("halved often", seed=3, vocabulary=7, length=12000, other=9000, wrong=0),
        long_case("few words, many mistakes", seed=4, vocabulary=5, length=9000, other=0, wrong=15),
        long_case("a recording of two hours", seed=5, vocabulary=4000, length=20000, other=0, wrong=3),
        long_case("nearly right", seed=6, vocabulary=50, length=30000, other=0, wrong=1),
        long_case("nothing in common", seed=7, vocabulary=10**6, length=4000, other=5000, wrong=0),
        long_case("20,000 against 20,000", seed=11, vocabulary=300, length=20000, other=20000, wrong=0),
        long_case("narrow", seed=8, vocabulary=3, length=60, other=100000, wrong=0),
        long_case("low", seed=9, vocabulary=3, length=100000, other=9, wrong=0),
        long_case("just high enough", seed=10, vocabulary=3, length=700000, other=10, wrong=0),
    ],
)

# Normalisation.

spelling = speech_texts.SPELLING
english, plain = EnglishTextNormalizer(spelling), EnglishTextNormalizer({})
basic = [BasicTextNormalizer(d, s) for d in (False, True) for s in (False, True)]
texts = speech_texts.texts(rng)
write(
    "normalise.json", ["transformers", "regex"], spelling=spelling,
    english=[[t, english(t)] for t in texts["english"]],
    without_spelling=[[t, plain(t)] for t in speech_texts.SPELLED],
    basic=[[t, *[normalise(t) for normalise in basic]] for t in texts["basic"]],
)
