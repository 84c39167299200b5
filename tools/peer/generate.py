"""A language model of the size of SmolLM2-135M beside PyTorch and Transformers: the same weights, side by side, as a Markdown table.

    cargo build --release -p sensorium-cli
    cargo bench -p sensorium-models --bench causal --no-run          # prints where it puts the program
    pip install -r tools/peer/requirements.txt
    python tools/peer/generate.py --bench PROGRAM --sensorium target/release/sensorium --work WORK

and with candle beside them, where `--candle` says where its program is:

    RUSTFLAGS="-C target-cpu=native" cargo build --release --manifest-path tools/peer/candle/Cargo.toml

The checkpoint has the published size and layout, with random weights that are written into WORK. First, all must say the same
tokens, or nothing is measured. Then, processes taking turns, medians of the rounds and their spread of

- tokens a second of a prompt of 512 that is read;
- tokens a second that are said after a prompt of 128, one by one with a cache, beside what reading the weights once a token allows;
- the first token: from the start of a process until it has been printed, after a prompt of 16 words;
- the most memory that a process has had.

Written as one would for speed on a CPU: inference mode, fused attention, all cores. Each part is timed in a process that is warmed
up, five times, of which the median counts. Nothing is run in less than float32, or compiled.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

from side import apart, clean, run

LONG, SHORT, SAID = 512, 128, 64


def write(folder):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        bos_token_id=None, eos_token_id=None, pad_token_id=None, initializer_range=0.05,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(49152)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))


def prompt(count):
    return [i * 7919 % 40000 for i in range(count)]


def peer_model(folder):
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder, attn_implementation="sdpa").eval()


def say(model, ids, count):
    """Greedy, with the reference's own cache; without what its `generate` does beside the model."""
    import torch

    out = model(torch.tensor([ids]), use_cache=True, logits_to_keep=1)
    begun, said = time.perf_counter(), []
    for _ in range(count):
        token = int(out.logits[0, -1].argmax())
        said.append(token)
        if len(said) < count:
            out = model(torch.tensor([[token]]), past_key_values=out.past_key_values, use_cache=True)
    return said, time.perf_counter() - begun


def median(job):
    job()
    return statistics.median(job() for _ in range(5))


def peer(folder):
    """Prints what benches/causal.rs does."""
    import torch

    model = peer_model(folder)
    said = []

    def read():
        begun = time.perf_counter()
        model(torch.tensor([prompt(LONG)]), use_cache=True, logits_to_keep=1).logits[0, -1].tolist()
        return time.perf_counter() - begun

    def step():
        said[:], seconds = say(model, prompt(SHORT), SAID)
        return seconds / (SAID - 1)

    with torch.inference_mode():
        found = {"read_tokens_per_s": LONG / median(read), "said_tokens_per_s": 1 / median(step)}
    found |= {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "ids": said}
    print(json.dumps(found))


def peer_first(folder):
    import torch
    from tokenizers import Tokenizer

    model, words = peer_model(folder), Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    with torch.inference_mode():
        said, _ = say(model, words.encode(text(16)).ids, 1)
    print(words.decode(said), flush=True)


def text(count):
    return " ".join(f"w{i}" for i in prompt(count))


# --- side by side --------------------------------------------------------------------------------------------------


def main(args):
    args.work.mkdir(parents=True, exist_ok=True)
    folder = args.work / "smollm2-135m"
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(exist_ok=True)
        apart(write, folder)
    me, python = str(Path(__file__).resolve()), [sys.executable, "-W", "ignore"]
    device = {**os.environ, "SENSORIUM_TEST_BACKENDS": args.backend}
    ours = lambda: json.loads(run([args.bench, folder], device)[0])
    theirs = lambda: json.loads(run([*python, me, "--peer", folder], clean())[0])
    greedy = ["generate", "--model", folder, "--prompt", text(16), "--greedy", "--max-new-tokens", "1", "--quiet", "--backend", args.backend]
    first_ours = lambda: run([args.sensorium, *greedy])
    first_theirs = lambda: run([*python, me, "--peer-first", folder], clean())
    turns = [("Sensorium", ours, first_ours), ("PyTorch", theirs, first_theirs)]
    if args.candle:
        candle = lambda: json.loads(run([args.candle, folder])[0])
        turns.append(("candle", candle, lambda: run([args.candle, folder, "--first", text(16)])))
    said = {name: (job()["ids"], first()[0].strip()) for name, job, first in turns}
    others = [name for name in said if said[name] != said["Sensorium"]]
    if others:
        sys.exit(f"what {' and '.join(others)} said is not what Sensorium said")
    print(f"all say the same {SAID} tokens", file=sys.stderr)

    found = {name: [] for name, _, _ in turns}
    for _ in range(args.rounds):
        for name, job, first in turns:
            row = job()
            row |= {"first_s": first()[1], "peak_gb": row["peak_bytes"] / 1e9}
            found[name].append(row)

    print(f"| | {' | '.join(found)} |\n{'|---' * (1 + len(found))}|")
    for what, key, unit in (
        ("tokens read a second", "read_tokens_per_s", ""),
        ("tokens said a second", "said_tokens_per_s", ""),
        ("the first token", "first_s", "s"),
        ("memory", "peak_gb", "GB"),
    ):
        cells = []
        for rows in found.values():
            values = sorted(row[key] for row in rows)
            cells.append(f"{statistics.median(values):.3g} ({values[0]:.3g} to {values[-1]:.3g}) {unit}".rstrip())
        print(f"| {what} | {' | '.join(cells)} |")
    bound, of_bound = (statistics.median(row[key] for row in found["Sensorium"]) for key in ("bound_tokens_per_s", "of_bound"))
    print(f"\nReading the weights once a token allows {bound:.3g} tokens a second: a token takes {of_bound:.2f} times as long.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", help="the program of benches/causal.rs")
    parser.add_argument("--sensorium", help="the sensorium command, built for release")
    parser.add_argument("--candle", help="the program of tools/peer/candle, if it is to take its turns too")
    parser.add_argument("--backend", default="flex", help="flex or libtorch, of those that both programs are built with")
    parser.add_argument("--work", type=Path, help="a folder for the checkpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--peer-first", metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        peer(args.peer)
    elif args.peer_first:
        peer_first(args.peer_first)
    else:
        main(args)
