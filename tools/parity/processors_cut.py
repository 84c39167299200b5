"""Makes the settings and the results that the tests of processors compare with that cut an image into tiles or patches, or make it square.

    pip install -r tools/parity/requirements.txt
    python tools/parity/processors_cut.py

Under crates/sensorium-vision/tests/fixtures/published-cut: `pictures/NAME.png` are small pictures (seed 13) of odd shapes; `CASE.json`
is a `preprocessor_config.json`, and `CASE.safetensors` holds what Transformers' own class (its Pillow backend) makes of each picture,
alone and then together: `NAME.pixel_values`, and `NAME.grid`, which is rows and columns of tiles, or `image_grid_thw`. Pillow must be
older than 13, as for `processors.py` beside this file.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from processors import pixels

FOLDER = Path(__file__).parents[2] / "crates/sensorium-vision/tests/fixtures/published-cut"

CLASSES = {
    "Idefics3": Idefics3ImageProcessorPil,
    "SmolVLM": SmolVLMImageProcessorPil,
    "Qwen2VL": Qwen2VLImageProcessorPil,
    "Llava": LlavaImageProcessorPil,
}
# Width, height and channels. A single row and column, panoramas, what is a multiple of a tile already, and what is not.
PICTURES = {
    "row": (23, 1, 3),
    "column": (1, 17, 3),
    "dot": (1, 1, 3),
    "panorama": (60, 20, 3),
    "tower": (11, 33, 3),
    "multiple": (24, 16, 3),
    "square": (16, 16, 3),
    "odd": (29, 22, 3),
    "grey": (13, 21, 1),
}
CASES = {
    "idefics3": {
        "image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 24},
        "max_image_size": {"longest_edge": 8},
    },
    # As SmolVLM-256M-Instruct's, smaller: sides are no multiple of each other.
    "smolvlm": {
        "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Idefics3ImageProcessor",
        "image_std": [0.5, 0.5, 0.5], "max_image_size": {"longest_edge": 9}, "resample": 1,
        "rescale_factor": 0.00392156862745098, "size": {"longest_edge": 20},
    },
    "smolvlm-whole": {
        "image_processor_type": "SmolVLMImageProcessorFast", "do_image_splitting": False, "size": {"longest_edge": 20},
        "max_image_size": {"longest_edge": 10}, "resample": 3, "image_mean": [0.4, 0.5, 0.6], "do_pad": False,
    },
    "smolvlm-one-tile": {
        "image_processor_type": "SmolVLMImageProcessor", "size": {"longest_edge": 10}, "max_image_size": {"longest_edge": 12},
    },
    "qwen2-vl": {
        "min_pixels": 64, "max_pixels": 300, "patch_size": 4, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor",
    },
    "qwen2-vl-odd": {
        "image_processor_type": "Qwen2VLImageProcessorFast", "size": {"shortest_edge": 90, "longest_edge": 400}, "patch_size": 3,
        "temporal_patch_size": 3, "merge_size": 1,
    },
    # More than the pictures have, and less.
    "qwen2-vl-grown": {
        "image_processor_type": "Qwen2VLImageProcessor", "size": {"shortest_edge": 500, "longest_edge": 2000}, "patch_size": 2,
        "temporal_patch_size": 1, "merge_size": 3,
    },
    "llava-padded": {
        "image_processor_type": "LlavaImageProcessor", "do_pad": True, "size": {"shortest_edge": 12}, "crop_size": 12,
    },
    "llava": {"image_processor_type": "LlavaImageProcessorFast", "size": {"shortest_edge": 12}, "crop_size": 12},
}


def pictures(folder: Path) -> dict[str, Image.Image]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(13)
    made = {}
    for name, (width, height, channels) in PICTURES.items():
        array = pixels(width, height, channels, rng)
        made[name] = Image.fromarray(array.squeeze(-1) if channels == 1 else array)
        made[name].save(folder / f"{name}.png", optimize=True)
    return made


def reference(settings: dict):
    name = settings["image_processor_type"]
    return CLASSES[name.removesuffix("Fast").removesuffix("ImageProcessor")].from_dict(settings)


def result(processor, images: list, name: str) -> dict:
    tiled = hasattr(processor, "max_image_size")
    out = processor(images, return_row_col_info=True) if tiled else processor(images)
    tensors = {"pixel_values": np.asarray(out["pixel_values"], np.float32)}
    if tiled:
        tensors["pixel_values"] = tensors["pixel_values"][0]
        tensors["grid"] = np.stack([np.asarray(out["rows"][0]), np.asarray(out["cols"][0])], -1)
        if "pixel_attention_mask" in out:
            assert np.asarray(out["pixel_attention_mask"]).all(), "a tile is not full"
    elif "image_grid_thw" in out:
        tensors["grid"] = np.asarray(out["image_grid_thw"])
    return {f"{name}.{key}": np.ascontiguousarray(value) for key, value in tensors.items()}


def main() -> None:
    seen = pictures(FOLDER / "pictures")
    for case, settings in CASES.items():
        (FOLDER / f"{case}.json").write_text(json.dumps(settings, indent=2) + "\n")
        processor = reference(settings)
        tensors = {}
        for name, image in seen.items():
            tensors |= result(processor, [image], name)
        if case in ("smolvlm", "qwen2-vl"):
            tensors |= result(processor, [seen["odd"], seen["column"], seen["square"]], "odd+column+square")
        save_file(tensors, FOLDER / f"{case}.safetensors")
        print(case, {name: tensor.shape for name, tensor in tensors.items()})


if __name__ == "__main__":
    main()
