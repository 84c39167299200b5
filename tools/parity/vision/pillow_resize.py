"""Makes the images and the results of Pillow's resizing that sensorium-vision's tests compare with.

    pip install -r tools/parity/requirements.txt
    python tools/parity/vision/pillow_resize.py

Images are noise on a gradient (seed 7), small, as PNG, which loses nothing. `FILTER-WxH-MODE.png` is
MODE's image resized to exactly W x H; `crop-EDGE-SIZE-MODE.png` has its shorter side resized to EDGE
and the centre of SIZE x SIZE cut out as transformers' image processors do.
"""

from pathlib import Path

import numpy as np
from PIL import Image

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = [(16, 16), (50, 31), (37, 9), (80, 60)]
CROPS = [(16, 16), (20, 15), (40, 33)]


def picture(width: int, height: int, channels: int) -> Image.Image:
    """A gradient that differs per channel, under noise."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (5 + 2 * c) + y * (9 - 3 * c)) % 256 for c in range(channels)]
    noise = rng.integers(-60, 61, (height, width, channels))
    pixels = np.clip(np.stack(planes, -1) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels if channels == 3 else pixels[..., 0])


def crop(image: Image.Image, edge: int, size: int) -> Image.Image:
    """Shorter side to `edge`, longer side and offsets rounded down."""
    short = min(image.size)
    width, height = (edge * side // short for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return resized.crop((left, top, left + size, top + size))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for mode, channels in (("rgb", 3), ("grey", 1)):
        image = picture(37, 23, channels)
        image.save(folder / f"source-{mode}.png", optimize=True)
        for name, filter in FILTERS.items():
            for width, height in SIZES:
                # One size is enough to see that grey takes the same way.
                if mode == "grey" and (width, height) != SIZES[0]:
                    continue
                resized = image.resize((width, height), filter)
                resized.save(folder / f"{name}-{width}x{height}-{mode}.png", optimize=True)
        for edge, size in CROPS:
            crop(image, edge, size).save(folder / f"crop-{edge}-{size}-{mode}.png", optimize=True)


if __name__ == "__main__":
    main(Path(__file__).parents[3] / "crates/sensorium-vision/tests/fixtures")
