"""Makes tiny models that read text with images in it, with processors and chat templates, and what `generate` answers to talks about pictures.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/ready_vision_language.py

`ready-idefics3`, `ready-llava` and `ready-qwen2-5-vl` have a byte-level BPE with the family's special tokens, its own processor and a template as
it stands in published files. `talks.json` holds talks with none, one and three pictures, of those under
crates/sensorium-vision/tests/fixtures/published-cut: the ids of the prompt, the ids that are generated after it, and their text. Pictures
are prepared by the Pillow backend, with a Pillow older than 13. Seed 23.
"""

import json
import shutil

import torch
from PIL import Image
from tokenizers import AddedToken
from transformers import (
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from ready_causal import words
from vision_towers import FIXTURES, randomize

PICTURES = FIXTURES.parents[2] / "sensorium-vision/tests/fixtures/published-cut/pictures"
TURNS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ 'IMAGE' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 3, "pad_token_id": 1,
}  # fmt: skip
BLOCKS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
IMAGE, PART = {"type": "image"}, lambda text: {"type": "text", "text": text}
TALKS = [
    ([], [{"role": "user", "content": [PART("what is the colour of the cat?")]}]),
    (["odd"], [{"role": "user", "content": [IMAGE, PART("what is it?")]}]),
    (
        ["panorama", "row", "square"],
        [
            {"role": "system", "content": [PART("be brief")]},
            {"role": "user", "content": [PART("one "), IMAGE, PART(" two")]},
            {"role": "assistant", "content": [PART("a rocket")]},
            {"role": "user", "content": [IMAGE, IMAGE, PART("and the bird?")]},
        ],
    ),
]


def tokenizer(special: list[str]) -> PreTrainedTokenizerFast:
    inner = words()
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="<|im_end|>", pad_token="</s>")


def idefics3():
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    text = tokenizer(["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *rows])
    pictures = Idefics3ImageProcessorPil(size={"longest_edge": 32}, max_image_size={"longest_edge": 16})
    processor = Idefics3Processor(pictures, text, image_seq_len=4, chat_template=TURNS.replace("IMAGE", "<image>"))
    config = Idefics3Config(
        vision_config=BLOCKS | {"image_size": 16, "patch_size": 4},
        text_config=TEXT | {"model_type": "llama", "vocab_size": len(text)},
        image_token_id=text.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    return Idefics3ForConditionalGeneration, config, processor


def llava():
    text = tokenizer(["<image>"])
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size={"height": 12, "width": 12})
    processor = LlavaProcessor(
        pictures, text, patch_size=4, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TURNS.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**BLOCKS | {"image_size": 12, "patch_size": 4}),
        text_config=TEXT | {"model_type": "llama", "vocab_size": len(text)},
        image_token_index=text.convert_tokens_to_ids("<image>"),
    )
    return LlavaForConditionalGeneration, config, processor


def qwen():
    text = tokenizer(["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"])
    sizes = {"patch_size": 2, "temporal_patch_size": 2, "merge_size": 2}
    pictures = Qwen2VLImageProcessorPil(min_pixels=32, max_pixels=200, **sizes)
    processor = Qwen2_5_VLProcessor(
        pictures, text, Qwen2VLVideoProcessor(**sizes), chat_template=TURNS.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    )
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 20, "num_heads": 2, "patch_size": 2, "window_size": 8, "out_hidden_size": 16,
            "fullatt_block_indexes": [1],
        },
        text_config=TEXT | {"vocab_size": len(text), "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}},
        image_token_id=text.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=text.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=text.convert_tokens_to_ids("<|vision_start|>"),
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration, config, processor


def case(model, processor, pictures: list[str], messages: list[dict]) -> dict:
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    images = [Image.open(PICTURES / f"{name}.png").convert("RGB") for name in pictures]
    inputs = processor(text=[prompt], images=images or None, return_tensors="pt")
    ids = inputs["input_ids"]
    if hasattr(model.model, "rope_deltas"):
        model.model.rope_deltas = None
    out = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    made = out[0, ids.shape[1] :].tolist()
    return {
        "pictures": pictures,
        "messages": messages,
        "prompt": ids[0].tolist(),
        "tokens": made,
        "expected": processor.tokenizer.decode(made, skip_special_tokens=True, clean_up_tokenization_spaces=False),
    }


def main() -> None:
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    for name, make in {"ready-idefics3": idefics3, "ready-llava": llava, "ready-qwen2-5-vl": qwen}.items():
        torch.manual_seed(23)
        kind, config, processor = make()
        model = kind._from_config(config, attn_implementation="eager").eval()
        randomize(model)
        model.generation_config.eos_token_id = 3
        model.generation_config.pad_token_id = 1
        folder = FIXTURES / name
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        cases = [case(model, processor, *talk) for talk in TALKS]
        (folder / "talks.json").write_text("[\n" + ",\n".join(json.dumps(one) for one in cases) + "\n]\n")
        for path in folder.iterdir():
            path.chmod(0o644)
        print(name, {path.name: path.stat().st_size for path in folder.iterdir()}, [(len(c["prompt"]), c["expected"]) for c in cases])


if __name__ == "__main__":
    main()
