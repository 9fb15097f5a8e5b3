"""Programs over `mx.image` that the real MXNet, which made golden/pictures.npz, and ours run alike."""

import json
import random
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "golden" / "pictures"
CHANGES = {
    "usual": {"rand_crop": True, "rand_mirror": True, "mean": True, "std": True},
    "all": {
        "resize": 40, "rand_crop": True, "rand_resize": True, "rand_mirror": True, "brightness": 0.3,
        "contrast": 0.3, "saturation": 0.3, "hue": 0.3, "pca_noise": 0.1, "rand_gray": 0.5,
        "mean": np.array([1.0, 2.0, 3.0]), "std": np.array([2.0, 3.0, 4.0]), "inter_method": 1,
    },
}  # fmt: skip
DETECTION = {
    "usual": {"rand_crop": 0.8, "rand_pad": 0.8, "rand_mirror": True, "inter_method": 1},
    "all": {
        "resize": 45, "rand_crop": 0.9, "rand_pad": 0.5, "rand_gray": 0.3, "rand_mirror": True, "mean": True,
        "std": True, "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "pca_noise": 0.1, "hue": 0.1,
        "min_object_covered": [0.1, 0.5], "area_range": (0.1, 3.0), "inter_method": 1,
    },
}  # fmt: skip
BOXES = np.array([[0, 0.1, 0.2, 0.5, 0.6], [1, 0.4, 0.4, 0.9, 0.95]])


def photo(mx):
    return mx.image.imread(str(FOLDER / "photo.png"))


def reading(mx):
    """{name: pixels} of every file that MXNet reads."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix != ".webp":
            found[f"{path.name} colour"] = mx.image.imread(str(path)).asnumpy()
            found[f"{path.name} grey"] = mx.image.imdecode(path.read_bytes(), flag=0).asnumpy()
    found["bgr"] = mx.image.imread(str(FOLDER / "cat.jpg"), to_rgb=False).asnumpy()
    return found


def scaling(mx):
    """{name: pixels} of scaled, cut and bordered pictures."""
    image = photo(mx)
    found = {}
    for interp in range(5):
        for size in ((16, 12), (70, 50), (32, 40)):
            found[f"resize {interp} {size}"] = mx.image.imresize(image, *size, interp).asnumpy()
    found["resize float"] = mx.image.imresize(image.astype("float32"), 20, 30, 1).asnumpy()
    for interp in (1, 9):
        found[f"short {interp}"] = mx.image.resize_short(image, 30, interp).asnumpy()
    found["short of high"] = mx.image.resize_short(mx.nd.transpose(image, (1, 0, 2)), 20, 1).asnumpy()
    found["fixed"] = mx.image.fixed_crop(image, 3, 4, 20, 10, (8, 8), 1).asnumpy()
    found["middle"], found["middle box"] = mx.image.center_crop(image, (90, 60), 1)
    for kind in range(5):
        bordered = mx.image.copyMakeBorder(image[:9, :9], 3, 4, 5, 6, kind, values=(1, 2, 3))
        found[f"border {kind}"] = bordered.asnumpy()
    return found


def random_parts(mx):
    """{name: pixels and boxes} of random parts."""
    random.seed(5)
    image = photo(mx)
    found = {}
    for number in range(4):
        found[f"crop {number}"], found[f"crop box {number}"] = mx.image.random_crop(image, (20, 30), 1)
        part = mx.image.random_size_crop(image, (20, 15), (0.1, 1), (0.75, 1.33), 1)
        found[f"sized {number}"], found[f"sized box {number}"] = part
    return found


def turning(mx):
    """{name: pixels} of turned pictures."""
    np.random.seed(5)
    image = mx.nd.transpose(photo(mx).astype("float32")[::2, ::2], (2, 0, 1))
    found = {}
    for zoom in ((False, False), (True, False), (False, True)):
        both = mx.image.imrotate(mx.nd.stack(image, image), mx.nd.array([33, -50]), *zoom)
        found[f"turn {zoom}"] = both.asnumpy()
    found["random turn"] = mx.image.random_rotate(image, (-30, 30)).asnumpy()
    return found


def changes(mx):
    """{name: pixels} of what augmenters make, for classification and detection."""
    image, found = photo(mx), {}
    for name, options in CHANGES.items():
        augmenters = mx.image.CreateAugmenter((3, 15, 20), **options)
        found[f"{name} text"] = json.dumps([x.dumps() for x in augmenters])
        random.seed(7)
        np.random.seed(7)
        for number in range(4):
            made = image
            for augmenter in augmenters:
                made = augmenter(made)
            found[f"{name} {number}"] = made.asnumpy()
    for name, options in DETECTION.items():
        augmenters = mx.image.CreateDetAugmenter((3, 15, 20), **options)
        found[f"boxes {name} text"] = json.dumps([x.dumps() for x in augmenters])
        random.seed(8)
        np.random.seed(8)
        for number in range(6):
            made, boxes = image, BOXES.copy()
            for augmenter in augmenters:
                made, boxes = augmenter(made, boxes)
            found[f"boxes {name} {number}"] = made.asnumpy()
            found[f"boxes {name} where {number}"] = boxes
    return found


COUNT = 10
EPOCHS = {
    "records": {},
    "indexed": {"index": True, "last_batch_handle": "discard"},
    "shuffled": {"index": True, "shuffle": True},
    "part": {"index": True, "part_index": 1, "num_parts": 2},
    "wide": {"index": True, "label_width": 2},
    "rolling": {"last_batch_handle": "roll_over"},
    "rolling indexed": {"index": True, "shuffle": True, "last_batch_handle": "roll_over"},
    "list": {"list": True, "last_batch_handle": "roll_over"},
    "list shuffled": {"list": True, "shuffle": True},
    "listed file": {"lst": True, "num_parts": 3, "part_index": 2},
    "labels of a list": {"lst": True, "index": True},
}


def write_records(mx, folder, width=1):
    """Ten records with an index, and a list of ten files."""
    photo, cat = ((FOLDER / name).read_bytes() for name in ("photo.jpg", "cat.jpg"))
    writer = mx.recordio.MXIndexedRecordIO(str(folder / "a.idx"), str(folder / "a.rec"), "w")
    lines = []
    for key in range(COUNT):
        label = float(key) if width == 1 else np.arange(key, key + width, dtype="f")
        writer.write_idx(key, mx.recordio.pack((0, label, key, 0), cat if key % 3 else photo))
        lines.append(f"{key}\t{100.0 + key}\t{'cat' if key % 3 else 'photo'}.jpg\n")
    writer.close()
    (folder / "a.lst").write_text("".join(lines))
    return [[200.0 + key, "cat.jpg" if key % 3 else "photo.jpg"] for key in range(COUNT)]


def epochs_of(mx, folder, options):
    """[labels, pad, mean pixel] of every batch of three epochs, and what is provided."""
    options = dict(options)
    index, listed, lst = (options.pop(key, False) for key in ("index", "list", "lst"))
    images = write_records(mx, folder, options.get("label_width", 1))
    if not listed and (index or not lst):
        options["path_imgrec"] = str(folder / "a.rec")
    if index:
        options["path_imgidx"] = str(folder / "a.idx")
    if lst:
        options["path_imglist"] = str(folder / "a.lst")
    if listed:
        options["imglist"] = images
    random.seed(3)
    data = mx.image.ImageIter(4, (3, 24, 32), path_root=str(FOLDER), inter_method=1, **options)
    found = [[tuple(d) for d in (*data.provide_data, *data.provide_label)]]
    for _ in range(3):
        for batch in data:
            labels, pixels = batch.label[0].asnumpy(), batch.data[0].asnumpy()
            found.append([labels.tolist(), batch.pad, [round(float(x.mean()), 2) for x in pixels]])
        found.append("end")
        data.reset()
    return found


def batches(mx):
    """{name: text} of epochs of `ImageIter`."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: json.dumps(epochs_of(mx, Path(folder), options)) for name, options in EPOCHS.items()}


def box_batches(mx):
    """{name: text} of an epoch of `ImageDetIter`, and of what it says of shapes."""
    images = []
    for number in range(5):
        objects = [[k, 0.1 + 0.1 * k, 0.2, 0.5 + 0.1 * k, 0.6 + 0.05 * number] for k in range(1 + number % 3)]
        images.append([np.array([4, 5, 7, 7, *np.ravel(objects)], dtype="f"), "photo.jpg"])
    data = mx.image.ImageDetIter(2, (3, 24, 32), imglist=images, path_root=str(FOLDER), inter_method=1)
    found = [[tuple(d) for d in (*data.provide_data, *data.provide_label)]]
    for batch in data:
        labels = np.round(batch.label[0].asnumpy(), 4)
        found.append([labels.tolist(), batch.pad, round(float(batch.data[0].asnumpy().mean()), 2)])
    other = mx.image.ImageDetIter(2, (3, 24, 32), imglist=images[:1], path_root=str(FOLDER))
    found.append(tuple(other.label_shape))
    data.sync_label_shape(other)
    found.append(tuple(other.label_shape))
    other.reshape((3, 8, 8), (7, 5))
    found.append([tuple(d) for d in (*other.provide_data, *other.provide_label)])
    return {"boxes": json.dumps(found)}


PROGRAMS = {f.__name__: f for f in (reading, scaling, random_parts, turning, changes, batches, box_batches)}


def run(mx, name):
    """{name: array} of a program."""
    made = PROGRAMS[name](mx)
    return {key: np.asarray(x.asnumpy() if hasattr(x, "asnumpy") else x) for key, x in made.items()}
