"""Log-mel features of a sweep by librosa, for crates/sensorium-audio/tests/fixtures/log_mel.json.

    pip install -r tools/parity/requirements.txt && python tools/parity/audio/log_mel.py
"""

import json
import pathlib

import librosa
import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[3] / "crates/sensorium-audio/tests/fixtures/log_mel.json"


def sweep(rate, count):
    """A tone that rises, with some noise from a fixed rule: the test makes the same one."""
    t = np.arange(count, dtype=np.float64) / rate
    noise = np.sin(np.arange(count) * 12.9898) * 43758.5453
    noise = noise - np.floor(noise) - 0.5
    return (0.5 * np.sin(2 * np.pi * (200 * t + 1500 * t * t)) + 0.01 * noise).astype(np.float32)


cases = []
for rate, count, n_fft, hop, n_mels, htk in [
    (16000, 4000, 512, 160, 20, False),
    (16000, 3001, 400, 160, 16, True),
    (8000, 1500, 256, 80, 24, False),
]:
    power = librosa.feature.melspectrogram(
        y=sweep(rate, count), sr=rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels, htk=htk, pad_mode="reflect"
    )
    features = np.log(np.maximum(power, 1e-10)).T
    cases.append(
        dict(rate=rate, count=count, n_fft=n_fft, hop=hop, n_mels=n_mels, htk=htk, features=np.round(features, 5).flatten().tolist())
    )
OUT.write_text(json.dumps(dict(librosa=librosa.__version__, cases=cases)))
