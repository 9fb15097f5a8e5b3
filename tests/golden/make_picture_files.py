"""Small picture files of every kind, from photographs in scikit-image. Needs Pillow; run once:

python tests/golden/make_picture_files.py
"""

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

FOLDER = Path(__file__).parent / "pictures"


def main():
    FOLDER.mkdir(exist_ok=True)
    photo = Image.fromarray(data.astronaut()).resize((64, 48), Image.Resampling.LANCZOS)
    cat = Image.fromarray(data.chelsea()).resize((45, 60), Image.Resampling.LANCZOS)
    photo.save(FOLDER / "photo.jpg", quality=90)
    cat.save(FOLDER / "cat.jpg", quality=85, subsampling=0)
    photo.save(FOLDER / "progressive.jpg", quality=80, progressive=True)
    photo.convert("L").save(FOLDER / "grey.jpg", quality=90)
    photo.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=90)
    turned = Image.Exif()
    turned[0x0112] = 6
    photo.save(FOLDER / "turned.jpg", quality=90, exif=turned)
    photo.save(FOLDER / "photo.png")
    photo.convert("L").save(FOLDER / "grey.png")
    photo.convert("P").save(FOLDER / "palette.png")
    alpha = np.dstack([np.asarray(photo), np.full((48, 64), 128, np.uint8)])
    Image.fromarray(alpha).save(FOLDER / "alpha.png")
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(FOLDER / "sixteen.png")
    photo.save(FOLDER / "photo.bmp")
    photo.resize((16, 12)).save(FOLDER / "small.webp", quality=90)


if __name__ == "__main__":
    main()
