"""Makes the pictures, the settings and the results that the tests of published processors compare with.

    pip install -r tools/parity/requirements.txt
    python tools/parity/processors.py

Images, under crates/sensorium-vision/tests/fixtures/published: `pictures/NAME.png` are small pictures (seed 11) of each kind; `CASE.json` is a
`preprocessor_config.json`, and `CASE.safetensors` holds what Transformers' own class (its Pillow backend) makes
of each picture, opened by `load_image`. Pillow must be older than 13, which resizes columns before rows where the
height shrinks much more than the width: checkpoints were made with the older ones.

Texts, under crates/sensorium-text/tests/fixtures/published: see `processors_text.py` beside this file.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from transformers.image_utils import load_image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from processors_text import texts

CRATES = Path(__file__).parents[2] / "crates"

CLASSES = {
    "CLIP": CLIPImageProcessorPil,
    "ViT": ViTImageProcessorPil,
    "Siglip": SiglipImageProcessorPil,
    "DeiT": DeiTImageProcessorPil,
    "Bit": BitImageProcessorPil,
    "Blip": BlipImageProcessorPil,
    # No class of Transformers: the file says everything, and ViT's takes the same steps.
    "Acme": ViTImageProcessorPil,
}
CLIP_STATS = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
IMAGENET_STATS = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
FEW = ["rgb", "tiny", "wide", "tall"]

# A picture of any kind comes out the same way but for its first step: one case sees them all.
CASES = {
    "clip-old": {
        "feature_extractor_type": "CLIPFeatureExtractor",
        "do_resize": True, "size": 20, "resample": 3, "do_center_crop": True, "crop_size": 16,
        "do_normalize": True, **CLIP_STATS,
    },
    "clip-new": {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True, "do_rescale": True, "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 15}, "crop_size": {"height": 15, "width": 15},
    },
    "clip-smaller-than-crop": {
        "image_processor_type": "CLIPImageProcessorFast",
        "size": {"shortest_edge": 10}, "crop_size": {"height": 15, "width": 14},
    },
    "clip-wide-crop": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 12}, "crop_size": {"height": 9, "width": 27},
    },
    "clip-longest-edge": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 20, "longest_edge": 27}, "crop_size": 16,
    },
    "clip-upscaled": {
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 61}, "crop_size": 17,
    },
    "vit-old": {
        "feature_extractor_type": "ViTFeatureExtractor", "size": 16, "resample": 2,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    },
    "vit-fast": {"image_processor_type": "ViTImageProcessorFast", "size": {"height": 14, "width": 20}},
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 16, "width": 16}},
    "siglip-nested": {
        "processor_class": "SiglipProcessor",
        "image_processor": {
            "image_processor_type": "SiglipImageProcessorFast", "size": {"height": 48, "width": 20},
            "resample": 2, "do_convert_rgb": None, "do_pad": None,
        },
    },
    "deit": {"image_processor_type": "DeiTImageProcessor", "size": 20, "crop_size": 16, "resample": 1},
    "bit": {
        "image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 18}, "crop_size": 16,
        **IMAGENET_STATS,
    },
    "blip": {"image_processor_type": "BlipImageProcessor", "size": 13, "resample": "PIL.Image.LANCZOS"},
    "nearest": {"image_processor_type": "ViTImageProcessor", "size": 18, "resample": 0},
    "nearest-cropped": {
        "image_processor_type": "CLIPImageProcessor", "size": 30, "crop_size": 18, "resample": "nearest",
    },
    "box": {"image_processor_type": "ViTImageProcessor", "size": 12, "resample": 4},
    "box-cropped": {
        "image_processor_type": "CLIPImageProcessor", "size": 25, "crop_size": 12, "resample": "box",
    },
    "hamming": {"image_processor_type": "ViTImageProcessor", "size": 18, "resample": "hamming"},
    "only-bytes": {
        "image_processor_type": "ViTImageProcessor", "size": 8, "do_rescale": False, "do_normalize": False,
    },
    "only-rescaled": {
        "image_processor_type": "ViTImageProcessor", "size": 8, "rescale_factor": 0.01, "do_normalize": False,
    },
    "only-normalised": {
        "image_processor_type": "ViTImageProcessor", "size": 8, "do_rescale": False,
        "image_mean": 127.5, "image_std": [127.5, 100.0, 50.0],
    },
    "only-cropped": {"image_processor_type": "CLIPImageProcessor", "do_resize": False, "crop_size": 16},
    "no-known-class": {
        "image_processor_type": "AcmeImageProcessor", "do_resize": True, "size": [9, 16], "resample": "bicubic",
        "do_rescale": True, "do_normalize": True, **IMAGENET_STATS,
    },
}
FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]


def pixels(width: int, height: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Gradients that differ by channel, under noise."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * (5 + 2 * c) + y * (9 - 3 * c) + 40 * c for c in range(channels)]
    noise = rng.integers(-60, 61, (height, width, channels))
    return np.clip(np.stack(planes, -1) % 256 + noise, 0, 255).astype(np.uint8)


def pictures(folder: Path) -> dict[str, Image.Image]:
    """Writes them, and returns each as the reference sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    make = lambda w, h, c: Image.fromarray(pixels(w, h, c, rng).squeeze(-1) if c == 1 else pixels(w, h, c, rng))
    rgb = make(37, 23, 3)
    rgba = make(33, 21, 3)
    rgba.putalpha(make(33, 21, 1))
    grey_alpha = make(18, 26, 1)
    grey_alpha.putalpha(make(18, 26, 1))
    see_through = make(25, 18, 3).quantize(16)
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = (pixels(19, 22, 1, rng).squeeze(-1).astype(np.uint16) * 257) ^ 0x35
    made = {
        "rgb": (rgb, {}),
        "tiny": (make(3, 5, 3), {}),
        "wide": (make(40, 7, 3), {}),
        "tall": (make(6, 31, 3), {}),
        "grey": (make(20, 31, 1), {}),
        "grey-alpha": (grey_alpha, {}),
        "palette": (make(25, 18, 3).quantize(32), {}),
        "palette-transparent": (see_through, {"transparency": 3}),
        "rgba": (rgba, {}),
        "bilevel": (make(24, 24, 1).convert("1"), {}),
        "turned": (make(30, 17, 3), {"exif": exif}),
        "grey-16": (Image.fromarray(deep), {}),
    }
    for name, (image, options) in made.items():
        image.save(folder / f"{name}.png", optimize=True, **options)
    # Through an array, or a transparent colour of a palette would still be put on white by Transformers 5, which
    # neither Transformers 4 nor a picture with alpha does.
    seen = {name: Image.fromarray(np.array(load_image(str(folder / f"{name}.png")))) for name in made}
    # Pillow makes all but the darkest 16-bit greys white; scaled is what a person sees.
    scaled = np.round(deep / 257).astype(np.uint8)
    seen["grey-16"] = Image.fromarray(scaled).convert("RGB")
    return seen


def reference(settings: dict):
    """Transformers' own class with the settings, and a filter's name as its number."""
    settings = dict(settings.get("image_processor", settings))
    name = settings.pop("image_processor_type", None) or settings.pop("feature_extractor_type")
    family = name.removesuffix("Fast").removesuffix("ImageProcessor").removesuffix("FeatureExtractor")
    if isinstance(settings.get("resample"), str):
        settings["resample"] = FILTERS.index(settings["resample"].split(".")[-1].lower())
    return CLASSES[family].from_dict(settings)


def images(folder: Path) -> None:
    seen = pictures(folder / "pictures")
    for case, settings in CASES.items():
        (folder / f"{case}.json").write_text(json.dumps(settings, indent=2) + "\n")
        processor = reference(settings)
        chosen = seen if case == "clip-old" else FEW
        results = {
            name: np.ascontiguousarray(processor(seen[name])["pixel_values"][0], np.float32) for name in chosen
        }
        save_file(results, folder / f"{case}.safetensors")
        print(case, {name: result.shape for name, result in results.items()})


if __name__ == "__main__":
    images(CRATES / "sensorium-vision/tests/fixtures/published")
    texts(CRATES / "sensorium-text/tests/fixtures/published")
