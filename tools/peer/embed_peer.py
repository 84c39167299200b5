"""Embeddings with PyTorch and Transformers: the peer that tools/peer/embed.py measures, which starts this file each time.

    python tools/peer/embed_peer.py clip DIR                             writes CLIP ViT-B/32 with random weights
    python tools/peer/embed_peer.py first photos DIR cat.jpg             prints one input's embedding
    python tools/peer/embed_peer.py setups photos DIR --batch 8 < PATHS  prints the seconds that each setup takes
    python tools/peer/embed_peer.py job photos DIR --batch 8 --setup Pillow --few 8 < PATHS

Written as one would for speed on a CPU: inference mode, fused attention, all cores, only the tower that is asked. A setup
is a way to prepare inputs: photographs by Pillow or by torchvision, which may decode them too, and in the batch's turn or
by threads while the model works on the batch before; sentences as they come, longest first, or by sentence-transformers.
Nothing is imported before it is needed, as importing is what the first embedding waits for.
"""

import argparse
import json
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

# As OpenAI's checkpoint has it.
PREPROCESSOR = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}
MAX_TOKENS = 256  # all-MiniLM-L6-v2's max_seq_length


def write_clip(folder):
    """CLIPConfig's own sizes are ViT-B/32's. Twice as wide as CLIP begins, photographs differ in what they become."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(7)
    wide = {"initializer_factor": 2.0}
    CLIPModel(CLIPConfig(text_config=wide, vision_config=wide, **wide)).save_pretrained(folder)
    (Path(folder) / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n")


class Photos:
    """CLIP's image tower and projection."""

    SETUPS = [way + ahead for way in ("Pillow", "torchvision", "torchvision, its decoder") for ahead in ("", ", ahead")]

    def __init__(self, folder):
        from transformers import CLIPVisionModelWithProjection

        self.folder = folder
        self.model = CLIPVisionModelWithProjection.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        ).eval()

    def preparation(self, setup):
        """From paths to pixels."""
        if setup.startswith("torchvision"):
            from transformers import CLIPImageProcessor as Processor
        else:
            from transformers import CLIPImageProcessorPil as Processor
        if "decoder" in setup:
            from torchvision.io import ImageReadMode, decode_image

            read = lambda path: decode_image(path, mode=ImageReadMode.RGB)
        else:
            from PIL import Image

            read = lambda path: Image.open(path).convert("RGB")
        processor = Processor.from_pretrained(self.folder)
        return lambda paths: processor([read(path) for path in paths], return_tensors="pt")["pixel_values"]

    def embed(self, setup, paths, batch):
        prepare = self.preparation(setup)
        batches = [paths[start : start + batch] for start in range(0, len(paths), batch)]
        pixels = ahead(prepare, batches) if setup.endswith("ahead") else map(prepare, batches)
        return torch.cat([self.model(pixel_values=x).image_embeds for x in pixels])


def ahead(prepare, batches):
    """Pixels of each batch in order, prepared by as many threads as there are cores while the last batch is worked on."""
    threads = torch.get_num_threads()
    waiting, depth = deque(), 1 + threads // len(batches[0])
    with ThreadPoolExecutor(threads) as pool:
        for paths in batches:
            waiting.append([pool.submit(prepare, [path]) for path in paths])
            if len(waiting) > depth:
                yield torch.cat([pixels.result() for pixels in waiting.popleft()])
        for batch in waiting:
            yield torch.cat([pixels.result() for pixels in batch])


class Sentences:
    """A sentence encoder that takes the mean over its tokens."""

    SETUPS = ["as they come", "longest first", "sentence-transformers"]

    def __init__(self, folder):
        from transformers import AutoTokenizer, BertModel

        self.folder = folder
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = BertModel.from_pretrained(
            folder, add_pooling_layer=False, dtype=torch.float32, attn_implementation="sdpa"
        ).eval()

    def embed(self, setup, sentences, batch):
        if setup == "sentence-transformers":
            return self.whole().encode(sentences, batch_size=batch, convert_to_tensor=True, show_progress_bar=False)
        order = list(range(len(sentences)))
        if setup == "longest first":
            order.sort(key=lambda i: -len(sentences[i]))
        rows = []
        for start in range(0, len(order), batch):
            texts = [sentences[i] for i in order[start : start + batch]]
            tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
            hidden = self.model(**tokens).last_hidden_state
            keep = tokens["attention_mask"][..., None]
            rows.append((hidden * keep).sum(1) / keep.sum(1))
        embeddings = torch.cat(rows)
        return torch.empty_like(embeddings).index_copy_(0, torch.tensor(order), embeddings)

    def whole(self):
        if not hasattr(self, "encoder"):
            from sentence_transformers import SentenceTransformer

            self.encoder = SentenceTransformer(self.folder, device="cpu")
        return self.encoder


KINDS = {"photos": Photos, "sentences": Sentences}


def embed(model, setup, inputs, batch):
    """Rows of length 1, out of PyTorch."""
    return torch.nn.functional.normalize(model.embed(setup, inputs, batch)).numpy()


def seconds(work):
    clock = time.perf_counter()
    work()
    return time.perf_counter() - clock


def setups(args, inputs):
    """The better of two rounds over all setups, after one to warm up; and how far embeddings are from the first setup's."""
    model, times, apart, first = KINDS[args.kind](args.model), {}, {}, None
    for _ in range(3):
        for setup in model.SETUPS:
            clock = time.perf_counter()
            rows = embed(model, setup, inputs, args.batch)
            times.setdefault(setup, []).append(time.perf_counter() - clock)
            first = rows if first is None else first
            apart[setup] = float(abs(rows - first).max())
    return {setup: {"seconds": min(times[setup][1:]), "apart": apart[setup]} for setup in model.SETUPS}


def job(args, inputs):
    """Seconds for the first few inputs and for all of them, warmed up."""
    model = KINDS[args.kind](args.model)
    work = lambda inputs: embed(model, args.setup, inputs, args.batch)
    work(inputs[: args.few])
    few = seconds(lambda: work(inputs[: args.few]))
    return {"few": few, "all": seconds(lambda: work(inputs))}


def about():
    import sentence_transformers
    import torchvision
    import transformers

    versions = {module.__name__: module.__version__ for module in (torch, torchvision, transformers, sentence_transformers)}
    return {"versions": versions, "threads": torch.get_num_threads(), "kernels": torch.backends.cpu.get_cpu_capability()}


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("about")
    commands.add_parser("clip").add_argument("model")
    for name in ("first", "vectors", "setups", "job"):
        command = commands.add_parser(name)
        command.add_argument("kind", choices=KINDS)
        command.add_argument("model")
        if name == "first":
            command.add_argument("input")
        if name in ("setups", "job"):
            command.add_argument("--batch", type=int, required=True)
        if name in ("first", "job"):
            command.add_argument("--setup")
        if name == "job":
            command.add_argument("--few", type=int, required=True)
        if name == "vectors":
            command.add_argument("--out", required=True, help="an .npy file")
    args = parser.parse_args()
    if args.command == "clip":
        write_clip(args.model)
    elif args.command == "about":
        print(json.dumps(about()))
    elif args.command == "first":
        model = KINDS[args.kind](args.model)
        vector = embed(model, args.setup or model.SETUPS[0], [args.input], 1)[0]
        print(json.dumps({"embeddings": [{"input": args.input, "vector": vector.tolist()}]}), flush=True)
    else:
        inputs = sys.stdin.read().splitlines()
        if args.command == "vectors":
            import numpy as np

            model = KINDS[args.kind](args.model)
            np.save(args.out, embed(model, model.SETUPS[0], inputs, 1))
        else:
            print(json.dumps({"setups": setups, "job": job}[args.command](args, inputs)))


if __name__ == "__main__":
    main()
