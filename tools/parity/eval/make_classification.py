"""Makes crates/sensorium-eval/tests/fixtures/classification.json with scikit-learn and SciPy.

    pip install -r tools/parity/requirements.txt
    python tools/parity/eval/make_classification.py

Seed 20260.  Scores are distinct within a sample and multiples of 1/1024, so that float32 holds them exactly and
no answer hangs on how ties are broken.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import scipy
import sklearn
from scipy.stats import binomtest
from sklearn import metrics

OUT = pathlib.Path(__file__).parents[3] / "crates/sensorium-eval/tests/fixtures/classification.json"
rng = np.random.default_rng(20260)
warnings.simplefilter("ignore")


def number(x):
    """A float for JSON, where scikit-learn's nan (undefined) becomes null."""
    return None if math.isnan(x) else float(x)


def scores_for(predicted, classes):
    """Distinct scores per sample whose largest is at the predicted class."""
    rows = []
    for p in predicted:
        row = rng.choice(1023, size=classes, replace=False)
        top = int(row.argmax())
        row[top], row[p] = row[p], row[top]
        rows.append([int(v) for v in row])
    return rows


def case(name, classes, target, predicted):
    target, predicted = np.asarray(target), np.asarray(predicted)
    scores = scores_for(predicted, classes)
    every = np.arange(classes)

    def prf(average):
        p, r, f, _ = metrics.precision_recall_fscore_support(target, predicted, average=average, zero_division=0)
        return {"precision": number(p), "recall": number(r), "f1": number(f)}

    p, r, f, s = metrics.precision_recall_fscore_support(target, predicted, labels=every, average=None, zero_division=0)
    right = int((target == predicted).sum())
    low, high = binomtest(right, len(target)).proportion_ci(0.95, method="wilson")
    top_k = {}
    if classes > 2:  # scikit-learn wants one column for two classes
        for k in range(1, min(classes, 6)):
            top_k[k] = number(metrics.top_k_accuracy_score(target, np.asarray(scores) / 1024, k=k, labels=every))
    return {
        "name": name,
        "classes": classes,
        "target": [int(v) for v in target],
        "scores_1024": scores,
        "expect": {
            "accuracy": number(metrics.accuracy_score(target, predicted)),
            "interval": [float(low), float(high)],
            "micro": prf("micro"),
            "macro": prf("macro"),
            "weighted": prf("weighted"),
            "mcc": number(metrics.matthews_corrcoef(target, predicted)),
            "kappa": number(metrics.cohen_kappa_score(target, predicted)),
            "top_k": top_k,
            "precision": [number(v) for v in p],
            "recall": [number(v) for v in r],
            "f1": [number(v) for v in f],
            "support": [int(v) for v in s],
            "confusion": metrics.confusion_matrix(target, predicted, labels=every).tolist(),
        },
    }


def noisy(classes, n, right, weights=None):
    """Targets, and predictions that are right with the given probability."""
    target = rng.choice(classes, size=n, p=weights)
    predicted = np.where(rng.random(n) < right, target, rng.integers(classes, size=n))
    return target, predicted


skewed = np.array([0.7, 0.2, 0.06, 0.03, 0.01])
cases = [
    case("by hand", 3, [0, 1, 2, 0, 1, 2, 2, 1, 0, 2], [0, 2, 1, 0, 1, 2, 2, 1, 1, 2]),
    case("two classes", 2, *noisy(2, 60, 0.8)),
    case("five skewed classes", 5, *noisy(5, 300, 0.6, skewed)),
    case("ten classes", 10, *noisy(10, 400, 0.9)),
    case("more classes than samples", 40, *noisy(40, 25, 0.5)),
    case("chance", 4, *noisy(4, 200, 0.0)),
    case("perfect", 4, *[rng.integers(4, size=50)] * 2),
    case("all wrong", 3, [0, 1, 2, 0], [1, 2, 0, 2]),
    case("always the same answer", 3, rng.integers(3, size=40), np.ones(40, int)),
    case("one class only", 3, np.ones(12, int), np.ones(12, int)),
    case("one class, all wrong", 3, np.ones(12, int), np.zeros(12, int)),
    case("a class predicted but never true", 4, [0, 0, 1, 1, 2], [0, 3, 1, 3, 2]),
    case("one sample", 3, [2], [2]),
]

versions = {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__}
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps({"made_by": "tools/parity/eval/make_classification.py", "seed": 20260, "versions": versions,
                           "cases": cases}, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size, "bytes", versions)
