"""Features of sound by the reference implementations, for crates/sensorium-audio/tests/fixtures/features.safetensors.

    pip install -r tools/parity/requirements.txt && python tools/parity/audio/features.py

Published extractors are those of Transformers; AST's takes its own filter bank, in double precision, and not that of
torchaudio, whose single precision is off by up to 4e-4 where a band is quiet. `stft` and its inverse are PyTorch's and
`kaldi` is torchaudio's, both in double precision; `mfcc` is librosa's. The sounds are made by formula, here and in the
test. Of long features only some frames are kept: `frames` in a case's description, a JSON text in the file's
metadata, says which. What an extractor draws at random is recorded under `starts`.
"""

import json
import pathlib

import librosa
import numpy as np
import torch
import torchaudio
import torchaudio.compliance.kaldi
import transformers
from safetensors.numpy import save_file
from transformers import ASTFeatureExtractor, ClapFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor
from transformers.models.audio_spectrogram_transformer import feature_extraction_audio_spectrogram_transformer as ast_module

OUT = pathlib.Path(__file__).resolve().parents[3] / "crates/sensorium-audio/tests/fixtures/features.safetensors"
CLASSES = {c.__name__: c for c in (WhisperFeatureExtractor, ASTFeatureExtractor, ClapFeatureExtractor, Wav2Vec2FeatureExtractor)}

# As where torchaudio is not installed.
ast_module.is_speech_available = lambda: False

tensors, cases = {}, {}


def sound(rate, count, gate=None):
    """A tone that rises, with some noise from a fixed rule; after `gate` samples there is silence."""
    t = np.arange(count, dtype=np.float64) / rate
    noise = np.sin(np.arange(count) * 12.9898) * 43758.5453
    noise = noise - np.floor(noise) - 0.5
    samples = 0.5 * np.sin(2 * np.pi * (200 * t + 1500 * t * t)) + 0.01 * noise
    if gate is not None:
        samples[gate:] = 0
    return samples.astype(np.float32)


def keep(name, values, **description):
    tensors[name] = np.ascontiguousarray(values, dtype=np.float32)
    cases[name] = description


def draws(run):
    """What `run` returns, and the places that it draws."""
    starts = []
    randint, choice = np.random.randint, np.random.choice

    def recorded(draw):
        def call(*args):
            starts.append(int(draw(*args)))
            return starts[-1]

        return call

    np.random.seed(5)
    np.random.randint, np.random.choice = recorded(randint), recorded(choice)
    try:
        return run(), starts
    finally:
        np.random.randint, np.random.choice = randint, choice


def published(name, settings, rate, count, every, gate=None, **call):
    """The features of a class that `settings` names, [frames, width]."""
    kind = settings["feature_extractor_type"]
    extractor = CLASSES[kind](**{key: value for key, value in settings.items() if key != "feature_extractor_type"})
    samples = sound(rate, count, gate)
    result, starts = draws(lambda: extractor(samples, sampling_rate=rate, **call))
    values = np.asarray(result[extractor.model_input_names[0]][0])
    if kind == "WhisperFeatureExtractor":
        values = values.T
    values = values.reshape(-1, values.shape[-1]) if kind != "Wav2Vec2FeatureExtractor" else values[:, None]
    frames = sorted({*range(0, len(values), every), len(values) - 1})
    description = dict(json=settings, rate=rate, count=count, gate=gate, total=len(values), frames=frames)
    if "is_longer" in result:
        # One sound alone, and none longer: one is drawn to be marked.
        longer = bool(result["is_longer"][0][0])
        description.update(longer=longer, starts=starts)
    keep(name, values[frames], **description)


def whisper(**settings):
    return dict(feature_extractor_type="WhisperFeatureExtractor", **settings)


published("whisper-80", whisper(feature_size=80), 16000, 20000, 290)
published("whisper-heard", whisper(feature_size=80, chunk_length=2), 16000, 20000, 17)
published("whisper-128", whisper(feature_size=128, chunk_length=2), 16000, 20007, 29)
published("whisper-gated", whisper(feature_size=80, chunk_length=1), 16000, 20000, 13, gate=9000)
published("whisper-cut", whisper(feature_size=80, chunk_length=1), 16000, 33000, 17)
published("whisper-filled", whisper(feature_size=80, chunk_length=1, padding_value=0.25), 16000, 4000, 19)
published("whisper-odd", whisper(feature_size=20, chunk_length=1, n_fft=255, hop_length=81, sampling_rate=11025), 11025, 9001, 9)
published("whisper-whole", whisper(feature_size=80, chunk_length=1), 16000, 40123, 41, truncation=False, padding="longest")


def ast(**settings):
    return dict(feature_extractor_type="ASTFeatureExtractor", **settings)


published("ast", ast(), 16000, 20000, 171)
published("ast-heard", ast(max_length=130), 16000, 20000, 19)
published("ast-cut", ast(max_length=60, num_mel_bins=64, mean=-3.5, std=2.25), 16000, 20000, 7)
published("ast-raw", ast(max_length=50, do_normalize=False), 16000, 9000, 11, gate=6000)


def clap(**settings):
    return dict(feature_extractor_type="ClapFeatureExtractor", **settings)


published("clap-repeatpad", clap(truncation="rand_trunc"), 48000, 133000, 131)
published("clap-repeat", clap(truncation="rand_trunc", padding="repeat", frequency_min=50), 48000, 133000, 131)
published("clap-pad", clap(truncation="rand_trunc", padding="pad"), 48000, 133000, 131)
published("clap-cropped", clap(truncation="rand_trunc"), 48000, 600000, 131)
published("clap-fusion-short", clap(), 48000, 133000, 411)
published("clap-fusion-almost", clap(), 48000, 480300, 411)
published("clap-fusion", clap(), 48000, 1488000, 143)
published("clap-fusion-little", clap(max_length_s=1, sampling_rate=16000, hop_length=160, fft_window_size=512, frequency_max=8000), 16000, 16400, 37)


def wave(**settings):
    return dict(feature_extractor_type="Wav2Vec2FeatureExtractor", **settings)


published("wave", wave(return_attention_mask=True), 16000, 500, 1)
published("wave-raw", wave(do_normalize=False), 16000, 120, 1)

# Two of different length: normalised each on its own, and filled.
settings = wave(return_attention_mask=True, padding_value=0.5)
extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True, padding_value=0.5)
pair = extractor([sound(16000, 300), sound(16000, 211) + np.float32(0.1)], padding=True, sampling_rate=16000)
keep("wave-pair", np.stack(pair["input_values"]), json=settings, counts=[300, 211], shift=0.1)

for name, rate, count, n_fft, win, hop, window, periodic, edges in [
    ("stft-reflect", 8000, 300, 64, 64, 16, "hann", True, "reflect"),
    ("stft-zero", 8000, 300, 50, 37, 17, "hamming", True, "zero"),
    ("stft-inside", 8000, 200, 45, 45, 10, "hamming", False, "inside"),
]:
    shape = getattr(torch, f"{window}_window")(win, periodic=periodic, dtype=torch.float64)
    options = dict(n_fft=n_fft, hop_length=hop, win_length=win, window=shape, center=edges != "inside")
    pad_mode = "reflect" if edges == "reflect" else "constant"
    samples = torch.from_numpy(sound(rate, count)).double()
    spectrum = torch.stft(samples, **options, pad_mode=pad_mode, return_complex=True)
    description = dict(rate=rate, count=count, n_fft=n_fft, win_length=win, hop=hop, window=window, periodic=periodic, edges=edges)
    keep(name, torch.view_as_real(spectrum.T).numpy(), **description)
    # Back again after a change that no sound has: each number turned, so that 0 Hz has an imaginary part.
    changed = (spectrum * (1 + 0.5j)).to(torch.complex64).to(torch.complex128)
    keep(name + ".inverse", torch.istft(changed, **options).numpy())
    if edges != "inside":
        keep(name + ".inverse-length", torch.istft(changed, **options, length=count - 7).numpy())

for name, rate, count, n_mels, window in [("kaldi-povey", 8000, 1200, 30, "povey"), ("kaldi-hanning", 16000, 2400, 40, "hanning")]:
    samples = torch.from_numpy(sound(rate, count)).double()[None]
    values = torchaudio.compliance.kaldi.fbank(samples, sample_frequency=rate, window_type=window, num_mel_bins=n_mels)
    keep(name, values.numpy(), rate=rate, count=count, n_mels=n_mels, window=window)

power = librosa.feature.melspectrogram(y=sound(16000, 3000), sr=16000, n_fft=512, hop_length=160, n_mels=40, pad_mode="reflect")
log_mel = np.log(np.maximum(power, 1e-10))
keep("mfcc", librosa.feature.mfcc(S=log_mel, n_mfcc=13).T, rate=16000, count=3000, n_mels=40, n_mfcc=13)

versions = {module.__name__: module.__version__ for module in (librosa, torch, torchaudio, transformers)}
save_file(tensors, OUT, metadata={"about": json.dumps(dict(cases=cases, versions=versions))})
print(OUT.name, OUT.stat().st_size, "bytes")
