"""Makes what the tests of random image changes compare with: single changes by torchvision's functions.

    pip install -r tools/parity/requirements.txt
    python tools/parity/vision/augment.py

crates/sensorium-vision/tests/fixtures/augment.safetensors holds two pictures of floats in 0..1 that are bytes / 255 (`rgb`, `grey`; seed 5)
and what each change makes of them. Names that begin with `bytes` were computed on bytes, and divided by 255. What lay outside of a
picture that is moved is NaN: torchvision fills it, sensorium repeats the edge.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

OUT = Path(__file__).parents[3] / "crates/sensorium-vision/tests/fixtures/augment.safetensors"


def picture(channels: int, height: int, width: int, generator: np.random.Generator) -> torch.Tensor:
    """Noise on a gradient, neither black nor white everywhere."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [columns * 5 + rows * (3 - 2 * c) + 40 * (c + 1) for c in range(channels)]
    noise = generator.normal(0, 35, (channels, height, width))
    return torch.from_numpy(np.clip(np.stack(planes) + noise, 3, 250).astype(np.uint8))


def moved(image: torch.Tensor, **motion) -> torch.Tensor:
    """Bilinear, with NaN where any of it lay outside."""
    whole = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **motion}
    whole["interpolation"] = InterpolationMode.BILINEAR
    seen = F.affine(torch.ones_like(image), **whole)
    return torch.where(seen > 0.9999, F.affine(image, **whole), torch.nan)


def shear(pixels: float) -> float:
    """The angle at which a row moves by so many pixels for each row."""
    return float(np.degrees(np.arctan(pixels)))


def main() -> None:
    generator = np.random.default_rng(5)
    rgb8, grey8 = picture(3, 13, 17, generator), picture(1, 32, 32, generator)
    rgb, grey = rgb8 / 255, grey8 / 255
    cases = {
        "rgb": rgb,
        "grey": grey,
        "crop": F.resized_crop(rgb, 3, 2, 7, 9, [13, 17]),
        "brighter": F.adjust_brightness(rgb, 1.3),
        "darker": F.adjust_brightness(rgb, 0.6),
        "more contrast": F.adjust_contrast(rgb, 1.7),
        "less contrast": F.adjust_contrast(rgb, 0.4),
        "more contrast of grey": F.adjust_contrast(grey, 1.7),
        "more saturated": F.adjust_saturation(rgb, 1.6),
        "less saturated": F.adjust_saturation(rgb, 0.3),
        "hue up": F.adjust_hue(rgb, 0.2),
        "hue down": F.adjust_hue(rgb, -0.35),
        "grey out": F.rgb_to_grayscale(rgb, 3),
        "solarized": F.solarize(rgb, 0.41),
        "posterized 4": F.posterize(rgb, 4),
        "posterized 6": F.posterize(rgb, 6),
        "autocontrast": F.autocontrast(rgb),
        "equalized": F.equalize(grey),
        "sharper": F.adjust_sharpness(rgb, 1.8),
        "softer": F.adjust_sharpness(rgb, 0.2),
        "blurred 1": F.gaussian_blur(rgb, [3, 3], [0.7, 0.7]),
        "blurred 2": F.gaussian_blur(rgb, [5, 5], [1.6, 1.6]),
        "sheared across": moved(rgb, shear=[shear(0.2), 0.0]),
        "sheared down": moved(rgb, shear=[0.0, shear(-0.15)]),
        "turned": moved(rgb, angle=20.0),
        "moved": moved(rgb, translate=[3, -2]),
        "bytes brighter": F.adjust_brightness(rgb8, 1.3) / 255,
        "bytes solarized": F.solarize(rgb8, 0.41 * 255) / 255,
        "bytes posterized 4": F.posterize(rgb8, 4) / 255,
        "bytes autocontrast": F.autocontrast(rgb8) / 255,
        "bytes equalized": F.equalize(grey8) / 255,
    }
    arrays = {name: np.ascontiguousarray(case.float().numpy()) for name, case in cases.items()}
    save_file(arrays, OUT)
    print(f"{OUT}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
