"""Makes crates/sensorium-eval/tests/fixtures/metrics.json with scikit-learn, torchmetrics and SciPy.

    pip install -r tools/parity/requirements.txt
    python tools/parity/eval/make_metrics.py

Seed 20262.  Scores and probabilities are multiples of 1/1024, written as whole numbers, so that 32-bit numbers hold them exactly; those
that repeat are meant to.
"""

import importlib.metadata
import json
import math
import pathlib
import warnings

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn import metrics
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_calibration_error,
    multilabel_average_precision,
)
from torchmetrics.functional.retrieval import retrieval_hit_rate, retrieval_reciprocal_rank

OUT = pathlib.Path(__file__).parents[3] / "crates/sensorium-eval/tests/fixtures/metrics.json"
SEED = 20262
rng = np.random.default_rng(SEED)
warnings.simplefilter("ignore")


def number(x):
    """A float for JSON, where nan (undefined) becomes null."""
    return None if math.isnan(x) else float(x)


def area(truth, scores):
    """scikit-learn says nan, or fails, where it is undefined."""
    return number(metrics.roc_auc_score(truth, scores)) if 0 < sum(truth) < len(truth) else None


def precision(truth, scores):
    """scikit-learn says 0 where no sample is positive."""
    return number(metrics.average_precision_score(truth, scores)) if sum(truth) else None


def mean(values):
    values = [v for v in values if v is not None]
    return float(np.mean(values)) if values else None


# Yes or no.


def binary(name, positive, scores):
    positive, scores = np.asarray(positive, bool), np.asarray(scores)
    share = scores / 1024
    return {
        "name": name,
        "positive": [int(p) for p in positive],
        "scores_1024": scores.tolist(),
        "auroc": area(positive, share),
        "average_precision": precision(positive, share),
        "brier": number(np.mean((share - positive) ** 2) if len(set(positive)) < 2 else metrics.brier_score_loss(positive, share)),
    }


def told_apart(n, share, by, levels):
    """Positives that score higher by so many standard deviations, on a scale of so many levels."""
    positive = rng.random(n) < share
    raw = rng.normal(size=n) + by * positive
    scaled = np.clip((raw + 3) / 7, 0, 1)
    return positive, (np.round(scaled * levels) * (1024 // levels)).astype(int)


binaries = [
    binary("by chance", *told_apart(200, 0.5, 0.0, 1024)),
    binary("well told apart", *told_apart(300, 0.4, 2.0, 1024)),
    binary("rare", *told_apart(400, 0.03, 1.5, 1024)),
    binary("many ties", *told_apart(300, 0.4, 1.0, 8)),
    binary("two scores", *told_apart(60, 0.4, 1.0, 1)),
    binary("one score", [0, 1, 1, 0, 1], [512] * 5),
    binary("perfect", [0, 0, 1, 1], [0, 100, 101, 1024]),
    binary("the wrong way round", [1, 1, 0, 0], [0, 100, 101, 1024]),
    binary("no positive", [0, 0, 0], [1, 2, 3]),
    binary("no negative", [1, 1, 1], [1, 2, 3]),
]


# Classes with probabilities.


def classes(name, count, n, sharpness, hit, only=None):
    """Probabilities whose largest is at the true class with the chance `hit`."""
    target = rng.choice(only or count, size=n)
    rows = []
    for t in target:
        while True:
            row = rng.multinomial(1024, rng.dirichlet(np.full(count, sharpness)))
            if np.sum(row == row.max()) == 1:  # which of equal ones is the answer depends on the library
                break
        top = int(row.argmax())
        if rng.random() < hit:
            row[top], row[t] = row[t], row[top]
        rows.append(row)
    rows = np.asarray(rows)
    share = rows / 1024
    sure, right = torch.tensor(share.max(1)), torch.tensor(share.argmax(1) == target)
    error = float(binary_calibration_error(sure, right.int(), n_bins=15, norm="l1"))
    # The same, but for being reckoned in 32 bits.
    tensors = torch.tensor(share), torch.tensor(target)
    theirs = multiclass_calibration_error(*tensors, num_classes=count, n_bins=15, norm="l1")
    assert abs(float(theirs) - error) < 1e-6
    every = [target == c for c in range(count)]
    aurocs = [area(truth, share[:, c]) for c, truth in enumerate(every)]
    precisions = [precision(truth, share[:, c]) for c, truth in enumerate(every)]
    if count > 2 and None not in aurocs:
        whole = metrics.roc_auc_score(target, share, multi_class="ovr", average="macro")
        assert abs(whole - mean(aurocs)) < 1e-12
    columns = share[:, 1] if count == 2 else share
    return {
        "name": name,
        "classes": count,
        "target": target.tolist(),
        "probabilities_1024": rows.tolist(),
        "auroc": mean(aurocs),
        "average_precision": mean(precisions),
        "aurocs": aurocs,
        "average_precisions": precisions,
        "brier": number(metrics.brier_score_loss(target, columns, labels=list(range(count)))),
        "ece": error,
    }


many = [
    classes("two classes", 2, 120, 0.7, 0.6),
    classes("five classes", 5, 200, 0.3, 0.7),
    classes("ten classes, sure of itself", 10, 150, 0.05, 0.9),
    classes("by chance", 4, 100, 1.0, 0.0),
    classes("classes that are never true", 6, 60, 0.4, 0.5, [1, 4]),
    classes("one true class", 3, 20, 0.5, 0.5, [2]),
]


# Certainty.


def calibration(name, bins, confidence, right, exact=True):
    kind = torch.float64 if exact else torch.float32
    error = binary_calibration_error(torch.tensor(confidence, dtype=kind), torch.tensor(right), n_bins=bins, norm="l1")
    return {
        "name": name,
        "bins": bins,
        "confidence": [float(c) for c in confidence],
        "right": [int(r) for r in right],
        "ece": float(error),
        "tolerance": 1e-12 if exact else 1e-6,
    }


def sure(n, grid):
    confidence = rng.integers(grid + 1, size=n) / grid
    return confidence, (rng.random(n) < confidence**1.5).astype(int)


certainties = [
    calibration("by hand", 5, [0.95, 0.91, 0.85, 0.62, 0.55, 0.3], [1, 1, 0, 1, 0, 0]),
    calibration("15 bins", 15, *sure(400, 1024)),
    calibration("edges of 16 bins", 16, *sure(200, 16)),
    calibration("edges of 10 bins", 10, *sure(200, 10), exact=False),
    calibration("sure of all", 15, [1.0] * 8, [1, 1, 0, 1, 1, 0, 1, 1]),
    calibration("sure of nothing", 7, [0.0] * 3, [0, 1, 0]),
    calibration("one bin", 1, *sure(50, 1024)),
]


# Several labels.


def labels(name, n, chances, by, levels=1024, threshold=512):
    columns = [told_apart(n, chance, by, levels) for chance in chances]
    truth = np.stack([column[0] for column in columns], 1)
    scores = np.stack([column[1] for column in columns], 1)
    share, given = scores / 1024, scores > threshold
    # A label that is neither true nor given anywhere has no F1, and is no 0 in the averages.
    seen = np.flatnonzero(truth.any(0) | given.any(0))
    precisions = [precision(truth[:, c], share[:, c]) for c in range(len(chances))]
    if len(chances) > 1:  # torchmetrics wants two labels, and says 0 as well where none is true
        tensors = torch.tensor(share), torch.tensor(truth).int()
        theirs = multilabel_average_precision(*tensors, num_labels=len(chances), average="none")
        assert all(o is None or abs(float(t) - o) < 1e-6 for o, t in zip(precisions, theirs))

    def prf(average):
        if len(chances) == 1:  # one column is yes or no to scikit-learn
            average, chosen = "binary", None
        else:
            chosen = seen
        p, r, f, _ = metrics.precision_recall_fscore_support(
            truth, given, labels=chosen, average=average, zero_division=0
        )
        return {"precision": number(p), "recall": number(r), "f1": number(f)}

    return {
        "name": name,
        "threshold": threshold / 1024,
        "truth": truth.astype(int).tolist(),
        "scores_1024": scores.tolist(),
        "mean_average_precision": mean(precisions),
        "average_precisions": precisions,
        "auroc": mean([area(truth[:, c], share[:, c]) for c in range(len(chances))]),
        "micro": prf("micro"),
        "macro": prf("macro"),
        "weighted": prf("weighted"),
        "subset_accuracy": number(metrics.accuracy_score(truth, given)),
        "hamming_loss": number(metrics.hamming_loss(truth, given)),
    }


several = [
    labels("eight labels", 150, [0.5, 0.3, 0.2, 0.1, 0.5, 0.05, 0.9, 0.4], 1.5),
    labels("many ties", 100, [0.5, 0.3, 0.2], 1.0, levels=8),
    labels("a label that is never true", 60, [0.5, 0.0, 0.3], 1.0, threshold=700),
    labels("a label that is neither true nor given", 40, [0.5, 0.0, 0.3], 2.5, threshold=940),
    labels("one label", 50, [0.4], 1.0),
]


# Numbers.


def regression(name, target, prediction):
    target, prediction = np.asarray(target, float), np.asarray(prediction, float)
    varies = len(target) > 1 and len(set(target)) > 1
    return {
        "name": name,
        "target": target.tolist(),
        "prediction": prediction.tolist(),
        "mae": number(metrics.mean_absolute_error(target, prediction)),
        "rmse": number(metrics.root_mean_squared_error(target, prediction)),
        "bias": number(np.mean(prediction - target)),
        "r2": number(metrics.r2_score(target, prediction)) if varies else None,
    }


def rounded(values):
    return np.round(values, 4)


x = rng.normal(size=150)
numbers = [
    regression("its documentation", [3, -0.5, 2, 7], [2.5, 0.0, 2, 8]),
    regression("good", rounded(x), rounded(x + 0.3 * rng.normal(size=150))),
    regression("worse than the mean", rounded(x), rounded(-x)),
    regression("far from zero", rounded(1e6 + x), rounded(1e6 + x + 0.1 * rng.normal(size=150))),
    regression("constant target", [2, 2, 2], [1, 2, 3]),
    regression("perfect", [1, 2, 3], [1, 2, 3]),
    regression("one", [1], [3]),
]


# Ordered classes.


def ordinal(name, target, answer):
    return {
        "name": name,
        "target": [int(t) for t in target],
        "answer": [int(a) for a in answer],
        "quadratic_kappa": number(metrics.cohen_kappa_score(target, answer, weights="quadratic")),
    }


grades = rng.integers(6, size=200)
ordered = [
    ordinal("near", grades, np.clip(grades + rng.integers(-1, 2, size=200), 0, 5)),
    ordinal("by chance", grades, rng.permutation(grades)),
    ordinal("upside down", grades, 5 - grades),
    ordinal("perfect", grades, grades),
    ordinal("high indices", grades[:50] * 3 + 1000, rng.integers(6, size=50) * 3 + 1000),
    ordinal("always the same answer", grades[:40], np.full(40, 3)),
    ordinal("one class", [2, 2], [2, 2]),
    ordinal("one class, always another", [2, 2], [3, 3]),
]


# Search.


def search(name, scores, right):
    """The rank of each query's best right candidate: the wrong ones of its score come first, the other right ones are away."""
    ranks, reciprocal, hits = [], [], {1: [], 5: [], 10: []}
    for row, answers in zip(scores, right):
        wrong = np.setdiff1d(np.arange(len(row)), answers)
        one = [rankdata(-np.append(row[wrong], row[a]), method="max")[-1] for a in answers]
        ranks.append(int(min(one)))
        order = np.lexsort((np.isin(np.arange(len(row)), answers), -row))
        place = torch.empty(len(row))
        place[order.copy()] = torch.arange(len(row), 0, -1).float()
        truth = torch.zeros(len(row), dtype=torch.bool)
        truth[answers] = True
        reciprocal.append(float(retrieval_reciprocal_rank(place, truth)))
        for k in hits:
            hits[k].append(float(retrieval_hit_rate(place, truth, top_k=min(k, len(row)))))
    assert np.allclose(reciprocal, 1 / np.asarray(ranks))
    return {
        "name": name,
        "scores_1024": scores.tolist(),
        "right": [[int(a) for a in answers] for answers in right],
        "ranks": ranks,
        "recall": {k: float(np.mean(v)) for k, v in hits.items()},
        "median_rank": float(np.median(ranks)),
        "mean_rank": float(np.mean(ranks)),
        "mrr": float(np.mean(1 / np.asarray(ranks))),
    }


def alike(queries, candidates, right, by, levels):
    scores = rng.normal(size=(queries, candidates))
    for i, answers in enumerate(right):
        scores[i, answers] += by
    return np.round(np.clip((scores + 3) / 8, 0, 1) * levels).astype(int) * (1024 // levels)


one = [[i] for i in range(40)]
five = [list(range(5 * i, 5 * i + 5)) for i in range(12)]
odd = [sorted(rng.choice(30, size=rng.integers(1, 6), replace=False).tolist()) for _ in range(25)]
searches = [
    search("by hand", np.array([[9, 2, 1], [3, 2, 8], [1, 7, 6]]) * 100, [[0], [1], [2]]),
    search("one right answer", alike(40, 40, one, 1.5, 1024), one),
    search("five captions an image", alike(12, 60, five, 1.0, 1024), five),
    search("many ties", alike(25, 30, odd, 1.0, 8), odd),
    search("all alike", np.full((5, 20), 512), [[i] for i in range(5)]),
]

versions = {p: importlib.metadata.version(p) for p in ("numpy", "scikit-learn", "scipy", "torch", "torchmetrics")}
content = {
    "binary": binaries,
    "classes": many,
    "calibration": certainties,
    "multilabel": several,
    "regression": numbers,
    "ordinal": ordered,
    "retrieval": searches,
}
head = {"made_by": "tools/parity/eval/make_metrics.py", "seed": SEED, "versions": versions}
OUT.write_text(json.dumps({**head, **content}, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size, "bytes", versions)
