"""Makes the files of each kind that sensorium-vision's tests decode, with Pillow's own result beside them.

    pip install -r tools/parity/requirements.txt
    python tools/parity/vision/pillow_convert.py

`NAME.EXT` is the file and `NAME-EXT-pillow.png` what Pillow's `convert("RGB")` makes of it (after
`exif_transpose`). The picture is four blocks of colour, so that what JPEG loses stays small; `detail-*` are noise on a
gradient, of a size that is no whole number of blocks, where decoders differ most.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

WIDTH, HEIGHT = 32, 16
CORNERS = [(200, 40, 40), (40, 180, 60), (50, 60, 200), (230, 220, 210)]


def blocks() -> Image.Image:
    """Red, green / blue, nearly white."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for i, colour in enumerate(CORNERS):
        top, left = (i // 2) * HEIGHT // 2, (i % 2) * WIDTH // 2
        pixels[top : top + HEIGHT // 2, left : left + WIDTH // 2] = colour
    return Image.fromarray(pixels)


def detail() -> Image.Image:
    """Noise on a gradient, from a fixed seed."""
    rows, columns = np.mgrid[0:29, 0:37]
    gradient = np.stack([columns * 6, rows * 8, 255 - columns * 3 - rows * 4], axis=-1)
    noise = np.random.default_rng(7).normal(0, 40, gradient.shape)
    return Image.fromarray(np.clip(gradient + noise, 0, 255).astype(np.uint8))


def with_alpha(image: Image.Image, mode: str) -> Image.Image:
    """Half of it transparent, with the colour kept under it."""
    image = image.convert(mode)
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, ::2] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image = blocks()

    def save(name: str, image: Image.Image, **options: object) -> None:
        path = folder / name
        image.save(path, **options)
        with Image.open(path) as reopened:
            upright = ImageOps.exif_transpose(reopened).convert("RGB")
        upright.save(folder / f"{path.stem}-{path.suffix[1:]}-pillow.png", optimize=True)

    jpeg = {"quality": 95, "subsampling": 0}
    save("rgb.jpg", image, **jpeg)
    save("progressive.jpg", image, progressive=True, **jpeg)
    save("grey.jpg", image.convert("L"), quality=95)
    save("cmyk.jpg", image.convert("CMYK"), quality=95)
    for name, subsampling in [("444", 0), ("422", 1), ("420", 2)]:
        save(f"detail-{name}.jpg", detail(), quality=90, subsampling=subsampling)
    save("detail-progressive.jpg", detail(), quality=75, subsampling=2, progressive=True)
    save("detail-grey.jpg", detail().convert("L"), quality=75)
    save("detail.webp", detail(), quality=80)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"exif{orientation}.jpg", image, exif=exif, **jpeg)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("exif6.png", image, exif=exif)
    save("exif6.webp", image, exif=exif, lossless=True)
    save("exif6.tif", image, exif=exif)

    save("rgba.png", with_alpha(image, "RGB"))
    save("greyalpha.png", with_alpha(image, "L"))
    save("rgba.webp", with_alpha(image, "RGB"), lossless=True, exact=True)
    save("palette.png", image.quantize(4))
    save("transparentpalette.png", image.quantize(4), transparency=0)
    save("bilevel.png", image.convert("1", dither=Image.Dither.NONE))
    save("palette.gif", image.quantize(4))
    save("animated.gif", image.quantize(4), save_all=True, append_images=[image.quantize(2)])
    save("lossy.webp", image, quality=95)
    save("rgb.bmp", image)
    save("palette.bmp", image.quantize(4))
    save("rgb.tif", image)
    save("lzw.tif", image, compression="tiff_lzw")
    save("cmyk.tif", image.convert("CMYK"))


if __name__ == "__main__":
    main(Path(__file__).parents[3] / "crates/sensorium-vision/tests/fixtures")
