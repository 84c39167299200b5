"""Makes crates/sensorium-eval/tests/fixtures/generation.json with sacreBLEU, rouge_score, pycocoevalcap and LAVIS's copy of the VQA
challenge's evaluation code.

    pip install -r tools/parity/requirements.txt
    pip install --no-deps salesforce-lavis==1.0.2  # one file of it is loaded; its dependencies are old and many
    python tools/parity/eval/generated_texts.py

Seed 20263.
"""

import importlib.metadata
import importlib.util
import json
import logging
import math
import pathlib
import random
import sys
import warnings
from collections import Counter

import numpy as np
from nltk.stem.porter import PorterStemmer
from pycocoevalcap.cider.cider import Cider
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

import generated_cases

OUT = pathlib.Path(__file__).parents[3] / "crates/sensorium-eval/tests/fixtures/generation.json"
SEED = 20263
rng = random.Random(SEED)
warnings.simplefilter("ignore")
logging.getLogger("sacrebleu").setLevel(logging.ERROR)


def lavis(path):
    """A module of LAVIS, without the package around it."""
    root = pathlib.Path(importlib.util.find_spec("lavis").origin).parent
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), root / f"{path}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Corpora: each a list of [hypothesis, references].


def sacre(metric, sentence, corpus):
    """The corpus, its signature without the version, and each sentence."""
    hypotheses = [hypothesis for hypothesis, _ in corpus]
    most = max(len(references) for _, references in corpus)
    streams = [[(references + [None] * most)[i] for _, references in corpus] for i in range(most)]
    score = metric.corpus_score(hypotheses, streams)
    made = {
        "score": score.score,
        "signature": str(metric.get_signature()).rsplit("|", 1)[0],
        "sentences": [sentence.sentence_score(hypothesis, references).score for hypothesis, references in corpus],
    }
    if isinstance(metric, BLEU):
        made["precisions"], made["bp"] = score.precisions, score.bp
        made["lengths"] = [score.sys_len, score.ref_len]
    return made


def bleu(corpus, **options):
    return sacre(BLEU(**options), BLEU(effective_order=True, **options), corpus)


def chrf(corpus, **options):
    return sacre(CHRF(**options), CHRF(**options), corpus)


KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


def rouge(corpus, stemmed):
    scorer = RougeScorer(KINDS, use_stemmer=stemmed)
    scores = [scorer.score_multi(references, hypothesis) for hypothesis, references in corpus]
    return [[list(score[kind]) for kind in KINDS] for score in scores]


def plain_cider(corpus):
    """CIDEr by its equations; pycocoevalcap has CIDEr-D alone."""

    def runs(text):
        words = text.split()
        return [Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)) for n in range(1, 5)]

    pictures = Counter()
    for _, references in corpus:
        pictures.update({run for reference in references for order in runs(reference) for run in order})

    def weigh(counts):
        return {run: count * (math.log(len(corpus)) - math.log(max(1, pictures[run]))) for run, count in counts.items()}

    def cosine(a, b):
        dot = sum(weight * b.get(run, 0) for run, weight in a.items())
        norms = math.sqrt(sum(w * w for w in a.values())) * math.sqrt(sum(w * w for w in b.values()))
        return dot / norms if norms else 0.0

    def score(hypothesis, references):
        said = [weigh(order) for order in runs(hypothesis)]
        alike = [[cosine(a, weigh(b)) for a, b in zip(said, runs(reference))] for reference in references]
        return 10 * float(np.mean(alike))

    return [score(*pair) for pair in corpus]


def cider(corpus):
    if not any(reference.split() for _, references in corpus for reference in references):
        return None  # pycocoevalcap fails
    hypotheses = {i: [hypothesis] for i, (hypothesis, _) in enumerate(corpus)}
    references = {i: references for i, (_, references) in enumerate(corpus)}
    mean, scores = Cider().compute_score(references, hypotheses)
    return {"mean": float(mean), "scores": scores.tolist(), "plain": plain_cider(corpus)}


def case(name, corpus):
    return {
        "name": name,
        "corpus": corpus,
        "bleu": bleu(corpus),
        "bleu_lowercase": bleu(corpus, lowercase=True),
        "bleu_characters": bleu(corpus, tokenize="char"),
        "bleu_spaces": bleu(corpus, tokenize="none"),
        "chrf": chrf(corpus),
        "chrf_words": chrf(corpus, word_order=2),
        "chrf_lowercase": chrf(corpus, lowercase=True),
        "rouge": rouge(corpus, False),
        "rouge_stemmed": rouge(corpus, True),
        "cider": cider(corpus),
    }


# Answers.

vqa = lavis("common/vqa_tools/vqa_eval").VQAEval()


class AsGiven(type(vqa)):
    """Counts who agrees, and changes no answer: that has been done."""

    def processPunctuation(self, text):
        return text

    processDigitArticle = processPunctuation

    def updateProgress(self, progress):
        pass


def one_form(text):
    return vqa.processDigitArticle(vqa.processPunctuation(text))


def trimmed(text):
    return text.replace("\n", " ").replace("\t", " ").strip()


def question(answer, people):
    """As version 2 of the evaluation code: LAVIS has version 1, which brings people's answers into another form than the model's."""
    given, said = [trimmed(person) for person in people], trimmed(answer)
    if len(set(given)) > 1:
        given, said = [one_form(person) for person in given], one_form(said)

    class Answers:
        def __init__(self, entry):
            self.qa = {0: entry}

        def getQuesIds(self):
            return [0]

    answers = [{"answer": person, "answer_id": i} for i, person in enumerate(given)]
    truth = Answers({"answers": answers, "question_type": "", "answer_type": ""})
    counts = AsGiven(truth, Answers({"answer": said}), n=12)
    stdout, sys.stdout = sys.stdout, open("/dev/null", "w")
    counts.evaluate()
    sys.stdout = stdout
    return {"answer": answer, "people": people, "accuracy": counts.evalQA[0] / 100}


def rounded(value):
    """To twelve digits after the point, which is enough to tell and half as long."""
    if isinstance(value, dict):
        return {key: rounded(of) for key, of in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(of) for of in value]
    return round(value, 12) if isinstance(value, float) else value


stemmer = PorterStemmer()
packages = ("nltk", "pycocoevalcap", "rouge_score", "sacrebleu", "salesforce-lavis")
versions = {package: importlib.metadata.version(package) for package in packages}
content = {
    "corpora": [case(name, corpus) for name, corpus in generated_cases.corpora(rng)],
    "stems": [[word, stemmer.stem(word)] for word in generated_cases.words(rng)],
    "answers": [[text, one_form(trimmed(text))] for text in generated_cases.answers(rng)],
    "questions": [question(*asked) for asked in generated_cases.questions(rng)],
}
head = {"made_by": "tools/parity/eval/generated_texts.py", "seed": SEED, "versions": versions}
OUT.write_text(json.dumps(rounded({**head, **content}), ensure_ascii=False, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size, "bytes", versions)
