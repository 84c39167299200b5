"""A vision-language model of the size of SmolVLM-256M beside PyTorch and Transformers: the same weights, side by side, as a Markdown table.

    cargo build --release -p sensorium-cli
    pip install -r tools/peer/requirements.txt
    python tools/peer/pictures.py --sensorium target/release/sensorium --work WORK

The checkpoint has the published size and layout, with random weights that are written into WORK, and so is the picture, which is cut
into four tiles and the whole, 320 tokens. First, both must say the same, or nothing is measured. Then, processes taking turns, medians
of the rounds and their spread of

- the first token: from the start of a process until it has ended, having said one token about the picture;
- tokens a second that are said after it: what a process that says 65 takes longer than one that says 1;
- the most memory that a process has had.

Written as one would for speed on a CPU: inference mode, fused attention, all cores. Nothing is run in less than float32, or compiled.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from side import apart, clean

SAID, SIDE = 64, 1024


def write(folder):
    import numpy as np
    import torch
    from PIL import Image
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, PreTrainedTokenizerFast
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

    rows = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    special = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *rows]
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(49280 - len(special))}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    text = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="w1")
    pictures = Idefics3ImageProcessorPil(size={"longest_edge": SIDE}, max_image_size={"longest_edge": 512})
    Idefics3Processor(pictures, text, image_seq_len=64).save_pretrained(folder)
    config = Idefics3Config(
        vision_config={
            "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 512, "patch_size": 16,
        },
        text_config={
            "model_type": "llama", "vocab_size": 49280, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
            "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "initializer_range": 0.05,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0}, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 1,
        },
        image_token_id=text.convert_tokens_to_ids("<image>"), scale_factor=4, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(7)
    model = Idefics3ForConditionalGeneration(config)
    model.generation_config.eos_token_id = None
    model.save_pretrained(folder)
    noise = np.random.default_rng(7).integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((SIDE, SIDE)).save(folder / "picture.png")


def prompt():
    return "<image> " + " ".join(f"w{i * 7919 % 40000}" for i in range(16))


def peer(folder, count):
    import torch
    from PIL import Image
    from transformers import AutoTokenizer, Idefics3ForConditionalGeneration
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

    pictures = Idefics3ImageProcessorPil.from_pretrained(folder)
    processor = Idefics3Processor(pictures, AutoTokenizer.from_pretrained(folder), image_seq_len=64)
    model = Idefics3ForConditionalGeneration.from_pretrained(folder, attn_implementation="sdpa").eval()
    picture = Image.open(Path(folder) / "picture.png").convert("RGB")
    inputs = processor(text=[prompt()], images=[picture], return_tensors="pt")
    with torch.inference_mode():
        out = model.generate(**inputs, max_new_tokens=count, min_new_tokens=count, do_sample=False)
    print(processor.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def timed(command, env):
    """What a process printed, how long it took, and the most memory it had."""
    start = time.perf_counter()
    child = subprocess.Popen([str(part) for part in command], env=env, stdout=subprocess.PIPE, text=True)
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = status
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))}\nfailed")
    return said.split(), time.perf_counter() - start, used.ru_maxrss * 1024


def main(args):
    folder = args.work / "smolvlm-256m"
    if not (folder / "picture.png").exists():
        folder.mkdir(parents=True, exist_ok=True)
        apart(write, folder)
    me = str(Path(__file__).resolve())
    asked = ["generate", "--model", folder, "--image", folder / "picture.png", "--prompt", prompt(), "--greedy", "--quiet"]
    ours = lambda count: timed([args.sensorium, *asked, "--backend", args.backend, "--max-new-tokens", count], dict(os.environ))
    theirs = lambda count: timed([sys.executable, "-W", "ignore", me, "--peer", folder, "--count", count], clean())
    said = [job(SAID + 1)[0] for job in (ours, theirs)]
    if said[0] != said[1]:
        sys.exit(f"what both say differs:\n{said[0]}\n{said[1]}")
    print(f"both say the same {len(said[0])} words", file=sys.stderr)

    found = {"Sensorium": [], "PyTorch": []}
    for _ in range(args.rounds):
        for name, job in (("Sensorium", ours), ("PyTorch", theirs)):
            (_, first, _), (_, whole, memory) = job(1), job(SAID + 1)
            found[name].append({"first": first, "said": SAID / (whole - first), "memory": memory / 1e9})

    print("| | Sensorium | PyTorch |\n|---|---|---|")
    for what, key, unit in (("the first token", "first", "s"), ("tokens said a second", "said", ""), ("memory", "memory", "GB")):
        cells = []
        for rows in found.values():
            values = sorted(row[key] for row in rows)
            cells.append(f"{statistics.median(values):.3g} ({values[0]:.3g} to {values[-1]:.3g}) {unit}".rstrip())
        print(f"| {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensorium", help="the sensorium command, built for release")
    parser.add_argument("--backend", default="flex", help="flex or libtorch, of those that it is built with")
    parser.add_argument("--work", type=Path, help="a folder for the checkpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        peer(args.peer, args.count)
    else:
        main(args)
