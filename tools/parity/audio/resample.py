"""What two resamplers of others make of tones: soxr at its high quality and SciPy's resample_poly.

For each pair of rates and each tone, the gain in decibels and the phase in radians at which it comes out, over the
middle of half a second; of a tone that the new rate cannot hold, how loud what is left is, wherever it lands.

    python resample.py > ../../../crates/sensorium-audio/tests/fixtures/resample.json

Made with numpy 2.4.6, scipy 1.17.1, soxr 1.1.0.
"""

import json

import numpy as np
import scipy.signal
import soxr

PAIRS = [(44_100, 16_000), (48_000, 16_000), (22_050, 16_000), (8_000, 16_000), (16_000, 44_100)]
# Of half the lower rate: what is kept, the edge, what is lost.
PASS = [0.01, 0.1, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9]
EDGE = [0.93, 0.96, 0.98, 1.0, 1.02, 1.04]
STOP = [1.1, 1.15, 1.2, 1.3]


def tone(rate, hz):
    return np.sin(2 * np.pi * hz * np.arange(rate // 2) / rate)


def middle(samples, rate):
    """The middle three tenths of a second, and their window."""
    part = np.arange(rate // 10, rate // 10 * 4)
    return part, samples[part], np.hanning(len(part) + 2)[1:-1]


def response(samples, rate, hz):
    at, part, window = middle(samples, rate)
    # The sine's own projection is -i / 2.
    found = np.sum(part * window * np.exp(-2j * np.pi * hz * at / rate)) / np.sum(window) / -0.5j
    return 20 * np.log10(abs(found)), np.angle(found)


def loudness(samples, rate):
    _, part, window = middle(samples, rate)
    power = np.sum(window * part**2) / np.sum(window)
    return 20 * np.log10(max(np.sqrt(2 * power), 1e-10))


def reference(samples, source, target):
    common = np.gcd(source, target)
    return {
        "soxr": soxr.resample(samples, source, target, quality="HQ"),
        "scipy": scipy.signal.resample_poly(samples, target // common, source // common),
    }


def cases():
    for source, target in PAIRS:
        half = min(source, target) / 2
        # Above half the old rate there is nothing to lose.
        stop = [s for s in STOP if target < source and s * half < source / 2]
        for share in PASS + EDGE + stop:
            hz = round(share * half)
            if hz * 2 >= source:
                continue
            made = reference(tone(source, hz), source, target)
            case = {"from": source, "to": target, "hz": hz, "share": share}
            for name, samples in made.items():
                gain, phase = response(samples, target, hz) if share < 1 else (None, None)
                level = loudness(samples, target)
                case[name] = {
                    "gain_db": None if gain is None else round(gain, 4),
                    "phase": None if phase is None else round(float(phase), 6),
                    "level_db": round(float(level), 2),
                }
            yield case


print("[\n" + ",\n".join(json.dumps(case) for case in cases()) + "\n]")
