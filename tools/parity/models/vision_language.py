"""Makes tiny Idefics3, SmolVLM, LLaVA and Qwen2.5-VL checkpoints with random weights, prompts, and every layer's output.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/vision_language.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json` and `model.safetensors` as `save_pretrained` writes them, and
`reference.safetensors` with

- `input.pixels`, and `input.grids` of Qwen2.5-VL (patches in time, down and across); of the vision tower `vision.hidden.0` (what the
  blocks take) to `vision.hidden.N`, `vision.last_hidden_state`, and `features`, as they enter the text. Patches of Qwen2.5-VL stand in
  the order they came in.
- `masked.filled` and `masked.last_hidden_state` of Idefics3: the same pixels of which only so many rows and columns are looked at.
- for prompts with 0, 1 and 3 images: `promptN.ids`, `promptN.images` (which of the pictures), `promptN.hidden.0` to `promptN.hidden.M`,
  `promptN.last_hidden_state`, `promptN.logits`, `promptN.labels` (-100 where nothing is to be learnt) and `promptN.loss`, `promptN.written`
  (what greedy decoding goes on with), and of Qwen2.5-VL `promptN.positions`.
- `side.ids`, `side.mask` and `side.logits`: the prompts with 1 and 3 images side by side, padded in front.

`prompts.json` beside them holds what placeholders become, by the processors' own functions. Seed 7.
"""

import json
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.smolvlm.processing_smolvlm import SmolVLMProcessor

from vision_towers import FIXTURES, randomize

IMAGE = 38  # The placeholder's id; 30 to 37 stand around images.
TEXT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
LLAMA = TEXT | {"model_type": "llama", "rms_norm_eps": 1e-5}
BLOCKS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
QWEN_TEXT = TEXT | {
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "mrope_section": [1, 1, 2]},
}
QWEN_VISION = {
    "depth": 3,
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_heads": 2,
    "patch_size": 2,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 8,
    "out_hidden_size": 16,
    "fullatt_block_indexes": [1],
}

# name: (model, configuration, pictures: height and width each, or grids). A prompt takes the first, or all of them, after one another.
CASES = {
    "idefics3": (
        Idefics3ForConditionalGeneration,
        Idefics3Config(
            vision_config=BLOCKS | {"image_size": 16, "patch_size": 4}, text_config=LLAMA, image_token_id=IMAGE, scale_factor=2
        ),
        [2, 1, 3],
    ),
    "smolvlm": (
        SmolVLMForConditionalGeneration,
        SmolVLMConfig(
            vision_config=BLOCKS | {"image_size": 18, "patch_size": 3, "hidden_act": "gelu", "layer_norm_eps": 1e-3},
            text_config=LLAMA | {"tie_word_embeddings": True},
            image_token_id=IMAGE,
            scale_factor=3,
            tie_word_embeddings=True,
        ),
        [1, 2, 1],
    ),
    "llava": (
        LlavaForConditionalGeneration,
        LlavaConfig(
            vision_config=BLOCKS | {"model_type": "clip_vision_model", "image_size": 12, "patch_size": 4, "num_hidden_layers": 3},
            text_config=LLAMA,
            image_token_index=IMAGE,
            image_seq_length=9,
        ),
        [1, 1, 1],
    ),
    "llava-odd": (
        LlavaForConditionalGeneration,
        LlavaConfig(
            vision_config=BLOCKS | {"model_type": "clip_vision_model", "image_size": 8, "patch_size": 4, "hidden_act": "gelu"},
            text_config=LLAMA | {"num_key_value_heads": 4},
            image_token_index=IMAGE,
            vision_feature_select_strategy="full",
            vision_feature_layer=[0, -1],
            projector_hidden_act="gelu_pytorch_tanh",
            multimodal_projector_bias=False,
        ),
        [1, 1, 1],
    ),
    "qwen2-5-vl": (
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLConfig(vision_config=QWEN_VISION, text_config=QWEN_TEXT, image_token_id=IMAGE, video_token_id=39),
        [[1, 4, 6], [1, 6, 2], [1, 10, 4]],
    ),
    "qwen2-5-vl-odd": (
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLConfig(
            vision_config=QWEN_VISION
            | {"depth": 2, "patch_size": 3, "temporal_patch_size": 1, "window_size": 12, "fullatt_block_indexes": [0]},
            text_config=QWEN_TEXT | {"tie_word_embeddings": True},
            image_token_id=IMAGE,
            video_token_id=39,
            tie_word_embeddings=True,
        ),
        [[1, 2, 2], [1, 6, 10], [1, 2, 8]],
    ),
}


def kind(model) -> str:
    return model.config.model_type


def pictures(model, sizes: list) -> dict:
    """Tiles, images or patches of random pixels."""
    vision = model.config.vision_config
    if kind(model) == "qwen2_5_vl":
        width = 3 * vision.temporal_patch_size * vision.patch_size**2
        grids = torch.tensor(sizes)
        return {"pixels": torch.randn(int(grids.prod(-1).sum()), width), "grids": grids}
    return {"pixels": torch.randn(sum(sizes), 3, vision.image_size, vision.image_size)}


def chosen(model, sizes: list, given: dict, which: list[int]) -> dict:
    """The model's arguments for some of the pictures."""
    if not which:
        return {}
    counts = [s if isinstance(s, int) else s[0] * s[1] * s[2] for s in sizes]
    parts = given["pixels"].split(counts)
    pixels = torch.cat([parts[i] for i in which])
    if kind(model) == "qwen2_5_vl":
        return {"pixel_values": pixels, "image_grid_thw": given["grids"][which]}
    return {"pixel_values": pixels if "llava" in kind(model) else pixels[None]}


def image_ids(model, size) -> list[int]:
    """What stands for a picture of so many tiles, or of such a grid."""
    config, vision = model.config, model.config.vision_config
    if kind(model) == "qwen2_5_vl":
        return [30] + [IMAGE] * (size[0] * size[1] * size[2] // vision.spatial_merge_size**2) + [31]
    side = vision.image_size // vision.patch_size
    if kind(model) == "llava":
        return [IMAGE] * (side**2 + (config.vision_feature_select_strategy == "full"))
    tile = [IMAGE] * (side // config.scale_factor) ** 2
    rows = [[30, 32 + i, *tile] for i in range(size - 1)]
    return [id for row in rows for id in row] + [30, 31, *tile, 30]


def prompts(model, sizes: list) -> dict[int, tuple[list[int], list[int], int]]:
    """By how many images: ids, which pictures, and where the last answer begins."""
    image = [image_ids(model, size) for size in sizes]
    alone = [1, 5, 9, 13, 21, 17]
    one = [1, 7, *image[0], 11, 23, 4, 19]
    # Two turns, of which the second shows two images.
    three = [1, 8, *image[0], 12, 6, 27, *image[1], 14, *image[2], 3, 22, 10]
    return {0: (alone, [], 3), 1: (one, [0], len(one) - 3), 3: (three, [0, 1, 2], len(three) - 2)}


def layers_of(model):
    body = model.model
    text = getattr(body, "text_model", None) or body.language_model
    vision = next(getattr(body, name) for name in ("vision_model", "vision_tower", "visual") if hasattr(body, name))
    blocks = vision.blocks if hasattr(vision, "blocks") else vision.encoder.layers
    return vision, blocks, text


class Hidden:
    """What the blocks take and give, by hooks: the models' own lists differ in whether the last is after the norm."""

    def __init__(self, blocks, norm=None):
        self.seen = []
        self.hooks = [blocks[0].register_forward_pre_hook(lambda _, a, k: self.keep(a[0] if a else k["hidden_states"]), with_kwargs=True)]
        self.hooks += [block.register_forward_hook(lambda _, i, out: self.keep(out[0] if isinstance(out, tuple) else out)) for block in blocks]

    def keep(self, tensor):
        self.seen.append(tensor.detach().clone())

    def taken(self) -> list:
        for hook in self.hooks:
            hook.remove()
        return self.seen


def window_order(model, grids) -> torch.Tensor:
    from transformers.vision_utils import get_vision_window_index

    vision = model.config.vision_config
    index, _ = get_vision_window_index(grids, vision.spatial_merge_size, vision.window_size, vision.patch_size)
    return torch.argsort(index)


def vision_results(model, sizes: list, given: dict) -> dict:
    tower, blocks, _ = layers_of(model)
    arguments = chosen(model, sizes, given, list(range(len(sizes))))
    hidden = Hidden(blocks)
    out = model.model.get_image_features(**arguments)
    states = hidden.taken()
    features = out.pooler_output
    features = torch.cat([f.reshape(-1, f.shape[-1]) for f in features]) if isinstance(features, (list, tuple)) else features
    last = out.last_hidden_state
    if kind(model) == "qwen2_5_vl":
        order, unit = window_order(model, given["grids"]), model.config.vision_config.spatial_merge_size**2
        back = lambda x: x.reshape(-1, unit, x.shape[-1])[order].reshape(x.shape)
        states, last = [back(x) for x in states], back(last)
    tensors = {f"vision.hidden.{i}": state for i, state in enumerate(states)}
    tensors |= {"features": features.reshape(-1, features.shape[-1])}
    if kind(model) in ("idefics3", "smolvlm"):
        tensors["vision.last_hidden_state"] = last
        tensors |= masked(tower, given["pixels"])
    return tensors


def masked(tower, pixels: torch.Tensor) -> dict:
    """The tower's output where only some rows and columns of each picture are looked at."""
    side, patch = pixels.shape[-1], tower.patch_size
    filled = torch.tensor([[side, side - patch], [patch + 1, 2 * patch], [1, side], [side - 2, 3 * patch - 1]])
    pixels = pixels[:3]
    filled = filled[: len(pixels)]
    mask = torch.zeros(len(pixels), side, side)
    for i, (height, width) in enumerate(filled.tolist()):
        mask[i, :height, :width] = 1
    patches = mask.unfold(1, patch, patch).unfold(2, patch, patch).sum((-1, -2)) > 0
    last = tower(pixels, patch_attention_mask=patches).last_hidden_state
    last = last * patches.flatten(1)[..., None]  # What is not looked at is nothing.
    return {"masked.filled": filled, "masked.last_hidden_state": last}


def kinds_of_tokens(ids: torch.Tensor) -> dict:
    return {"mm_token_type_ids": (ids == IMAGE).int()}


def prompt_results(model, sizes: list, given: dict) -> dict:
    _, _, text = layers_of(model)
    tensors = {}
    for count, (ids, which, answer) in prompts(model, sizes).items():
        ids = torch.tensor([ids])
        labels = ids.clone()
        labels[:, :answer] = -100
        arguments = chosen(model, sizes, given, which)
        qwen = kind(model) == "qwen2_5_vl"
        more = kinds_of_tokens(ids) if qwen else {}
        hidden = Hidden(text.layers)
        model.model.rope_deltas = None
        out = model(input_ids=ids, labels=labels, **arguments, **more)
        states = hidden.taken()
        name = f"prompt{count}."
        tensors |= {f"{name}hidden.{i}": state for i, state in enumerate(states)}
        tensors |= {
            f"{name}last_hidden_state": text.norm(states[-1]),
            f"{name}ids": ids,
            f"{name}images": torch.tensor(which, dtype=torch.int64),
            f"{name}labels": labels,
            f"{name}logits": out.logits,
            f"{name}loss": out.loss.reshape(1),
        }
        if qwen and which:
            positions, _ = model.model.get_rope_index(ids, more["mm_token_type_ids"], image_grid_thw=arguments["image_grid_thw"])
            tensors[f"{name}positions"] = positions[:, 0]
        model.model.rope_deltas = None
        written = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **arguments, **more, max_new_tokens=8, do_sample=False, eos_token_id=[])
        tensors[f"{name}written"] = written[:, ids.shape[1] :]
    return tensors


def side_results(model, sizes: list, given: dict) -> dict:
    """Two prompts as one batch, the shorter with padding in front."""
    made = prompts(model, sizes)
    rows = [made[1][0], made[3][0]]
    longest = max(map(len, rows))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    which = [0, 0, 1, 2]
    arguments = chosen(model, sizes, given, which)
    more = kinds_of_tokens(ids) if kind(model) == "qwen2_5_vl" else {}
    if kind(model) in ("idefics3", "smolvlm"):
        # Tiles of padding, all zeros, fill the shorter row up.
        parts = [chosen(model, sizes, given, w)["pixel_values"][0] for w in ([0], [0, 1, 2])]
        full = torch.zeros(2, len(parts[1]), *parts[1].shape[1:])
        full[0, : len(parts[0])] = parts[0]
        full[1] = parts[1]
        arguments = {"pixel_values": full}
    model.model.rope_deltas = None
    out = model(input_ids=ids, attention_mask=mask, **arguments, **more)
    logits = out.logits * mask[..., None]  # What padding gives is nobody's.
    return {"side.ids": ids, "side.mask": mask, "side.logits": logits}


def expansions() -> dict:
    """What a placeholder becomes, by the processors' own functions, called without a tokenizer."""
    idefics3 = SimpleNamespace(
        fake_image_token="<fake_token_around_image>", image_token="<image>", global_image_tag="<global-img>", global_image_token="<global-img>", image_seq_len=2
    )
    grids = [[0, 0], [1, 2], [2, 1], [3, 4], [1, 1]]
    result = {}
    for name, processor in (("idefics3", Idefics3Processor), ("smolvlm", SmolVLMProcessor)):
        inputs = {"rows": [[rows for rows, _ in grids]], "cols": [[columns for _, columns in grids]]}
        texts = [processor.replace_image_token(idefics3, inputs, i) for i in range(len(grids))]
        result[name] = [{"grid": grid, "text": text} for grid, text in zip(grids, texts)]
    result["llava"] = []
    for strategy in ("default", "full"):
        # As the published processors are: one token more, for the class.
        llava = SimpleNamespace(patch_size=14, num_additional_image_tokens=1, vision_feature_select_strategy=strategy, image_token="<image>")
        inputs = {"pixel_values": [torch.zeros(3, 42, 56)]}
        result["llava"].append({"grid": [3, 4], "strategy": strategy, "text": LlavaProcessor.replace_image_token(llava, inputs, 0)})
    qwen = SimpleNamespace(image_processor=SimpleNamespace(merge_size=2), image_token="<|image_pad|>")
    grids = torch.tensor([[1, 4, 6], [1, 2, 2], [1, 10, 4]])
    texts = [Qwen2_5_VLProcessor.replace_image_token(qwen, {"image_grid_thw": grids}, i) for i in range(len(grids))]
    result["qwen2_5_vl"] = [{"grid": grid, "text": text} for grid, text in zip(grids.tolist(), texts)]
    return result


def places() -> dict:
    """Where patches of pictures of so many of them a side stand in a table of so many a side: n -> [patches - 1][places]."""
    from transformers.models.idefics3.modeling_idefics3 import Idefics3VisionEmbeddings

    result = {}
    for side in (2, 6, 14, 26, 32):
        config = SimpleNamespace(hidden_size=1, image_size=side, patch_size=1, num_channels=1)
        embeddings = Idefics3VisionEmbeddings(config)
        embeddings.position_embedding.weight.data = torch.arange(side**2, dtype=torch.float32)[:, None]
        embeddings.patch_embedding.weight.data.zero_()
        embeddings.patch_embedding.bias.data.zero_()
        rows = []
        for patches in range(1, side + 1):
            mask = torch.ones(1, 1, patches, dtype=torch.bool)
            rows.append(embeddings(torch.zeros(1, 1, 1, patches), mask)[0, :, 0].long().tolist())
        result[str(side)] = rows
    return result


def main() -> None:
    torch.set_grad_enabled(False)
    for name, (model, config, sizes) in CASES.items():
        torch.manual_seed(7)
        model = model._from_config(config, attn_implementation="eager").eval()
        randomize(model)
        model.tie_weights()
        given = pictures(model, sizes)
        folder = FIXTURES / name
        model.save_pretrained(folder)
        tensors = {f"input.{key}": value for key, value in given.items()}
        tensors["input.sizes"] = torch.tensor(sizes)
        tensors |= vision_results(model, sizes, given) | prompt_results(model, sizes, given) | side_results(model, sizes, given)
        save_file({key: value.contiguous().clone() for key, value in tensors.items()}, folder / "reference.safetensors")
        (folder / "generation_config.json").unlink(missing_ok=True)
        for path in folder.iterdir():
            path.chmod(0o644)
        print(name, {path.name: path.stat().st_size for path in folder.iterdir()}, tensors["prompt3.written"].tolist())
    folder = FIXTURES / "vision-language"
    folder.mkdir(exist_ok=True)
    (folder / "prompts.json").write_text(json.dumps(expansions(), indent=1) + "\n")
    (folder / "places.json").write_text(json.dumps(places()) + "\n")


if __name__ == "__main__":
    main()
