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


def transforming(mx):
    """{name: values} of what the transformations of Gluon make."""
    t = mx.gluon.data.vision.transforms
    image = photo(mx)
    small = mx.image.imresize(image, 20, 15, 1)
    blocks = {
        "tensor": t.Compose([t.ToTensor(), t.Normalize([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])]),
        "one mean": t.Compose([t.ToTensor(), t.Normalize(0.5, 0.25)]),
        "half": t.Cast("float16"),
        "resized": t.Resize(24),
        "resized both": t.Resize((20, 10), interpolation=2),
        "resized short": t.Resize(24, keep_ratio=True),
        "middle": t.CenterCrop((30, 20)),
        "middle of small": t.CenterCrop(90),
        "part": t.CropResize(3, 4, 20, 10),
        "scaled part": t.CropResize(3, 4, 20, 10, (8, 8), 1),
        "turned": t.Compose([t.ToTensor(), t.Rotate(30)]),
        "turned in": t.Compose([t.ToTensor(), t.Rotate(-20, zoom_in=True)]),
        "random part": t.RandomResizedCrop((20, 15)),
        "random turn": t.Compose([t.ToTensor(), t.RandomRotation((-30, 30))]),
    }
    random.seed(5)
    np.random.seed(5)
    found = {name: block(image).asnumpy() for name, block in blocks.items()}
    found["several"] = t.Compose([t.Resize(8), t.ToTensor()])(mx.nd.stack(small, small)).asnumpy()
    return found


def data_sets(mx):
    """{name: what came} of the data sets of Gluon over files."""
    vision = mx.gluon.data.vision
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_records(mx, folder)
        data = vision.ImageRecordDataset(str(folder / "a.rec"))
        found["records"] = [len(data), *[(float(label), x.shape) for x, label in data]]
        grey = vision.ImageRecordDataset(str(folder / "a.rec"), 0, lambda x, label: (x, label + 1))
        found["grey records"] = [(float(label), x.shape) for x, label in grey]
        raw = mx.gluon.data.RecordFileDataset(str(folder / "a.rec"))
        found["bytes"] = [len(x) for x in raw]
        for name, files in (("b", ["photo.png", "cat.jpg"]), ("a", ["grey.jpg"])):
            (folder / "folders" / name).mkdir(parents=True)
            for file in files:
                (folder / "folders" / name / file).write_bytes((FOLDER / file).read_bytes())
        images = vision.ImageFolderDataset(str(folder / "folders"))
        found["folders"] = [images.synsets, *[(int(label), x.shape) for x, label in images]]
    return {name: json.dumps(x) for name, x in found.items()}


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


ROUNDS = {
    "round": {},
    "not round": {"round_batch": False, "batch_size": 5},
    "large": {"batch_size": 12},
    "part": {"num_parts": 3, "part_index": 2},
    "first part": {"num_parts": 2, "part_index": 0},
    "indexed part": {"num_parts": 3, "part_index": 2, "path_imgidx": "a.idx"},
    "listed": {"path_imglist": "a.lst"},
    "bytes": {"dtype": "uint8"},
    "grey": {"data_shape": (1, 24, 32)},
}
FIXED = {
    "cut": {},
    "normal": {"mean_r": 10, "mean_g": 20, "mean_b": 30, "std_r": 2, "std_g": 3, "std_b": 4, "scale": 0.5},
    "mirrored": {"mirror": True, "std_r": 2},
    "bytes": {"dtype": "uint8", "mean_r": 10, "mirror": True},
    "signed": {"dtype": "int8", "mean_r": 128, "mean_g": 100, "mean_b": 90},
    "grey": {"data_shape": (1, 24, 32), "mean_r": 10, "std_r": 2},
    "resized": {"resize": 30},
    "nearest": {"resize": 30, "inter_method": 0},
    "cubic": {"resize": 40, "inter_method": 2},
    "enlarged": {"data_shape": (3, 70, 90)},
    "enlarged one way": {"data_shape": (3, 20, 100)},
    "border": {"pad": 10, "data_shape": (3, 60, 60), "fill_value": 7},
    "square": {"max_crop_size": 40, "min_crop_size": 40},
    "turned": {"rotate": 30, "fill_value": 9},
    "scaled": {"max_random_scale": 0.6, "min_random_scale": 0.6},
    "limited": {"max_img_size": 40},
    "wide": {"max_aspect_ratio": 1.5, "min_aspect_ratio": 1.5},
    "whole part": {"random_resized_crop": True, "max_aspect_ratio": 1.0, "min_aspect_ratio": 1.0},
    "mean picture is made": {"mean_img": "mean.bin"},
    "mean picture": {"mean_img": "mean.bin", "scale": 0.5, "std_r": 2, "std_g": 2, "std_b": 2},
}
DETECTED = {
    "boxes": {},
    "wide": {"label_pad_width": 20, "label_pad_value": -7},
    "mirrored": {"rand_mirror_prob": 1.0},
    "shrunk": {"resize_mode": "shrink"},
    "fitted": {"resize_mode": "fit", "data_shape": (3, 60, 60)},
    "normal": {"mean_r": 10, "std_r": 2, "std_g": 2, "std_b": 2, "scale": 0.5},
}
PATHS = ("path_imgidx", "path_imglist", "mean_img")


def record_iterator(mx, kind, folder, options):
    """An iterator over the records of `write_records`; paths in the options are in the folder."""
    options = {key: str(folder / x) if key in PATHS else x for key, x in options.items()}
    usual = {"path_imgrec": str(folder / "a.rec"), "data_shape": (3, 24, 32), "batch_size": 4}
    return getattr(mx.io, kind)(**{**usual, "preprocess_threads": 2, "verbose": False, **options})


def record_rounds(mx):
    """{name: text} of the labels and pads of three epochs of `ImageRecordIter`."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        write_records(mx, Path(folder))
        for name, options in ROUNDS.items():
            data = record_iterator(mx, "ImageRecordIter", Path(folder), options)
            described = [
                (d.name, d.shape, np.dtype(d.dtype).name) for d in (*data.provide_data, *data.provide_label)
            ]
            epochs = []
            for _ in range(3):
                epochs.append([[batch.label[0].asnumpy().tolist(), batch.pad] for batch in data])
                data.reset()
            found[name] = json.dumps([described, epochs])
    return found


def record_pixels(mx):
    """{name: pixels} of the first two pictures, with every change that is not random."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        write_records(mx, Path(folder))
        for name, options in FIXED.items():
            data = record_iterator(mx, "ImageRecordIter", Path(folder), {"batch_size": 2, **options})
            found[name] = data.next().data[0].asnumpy()
    return found


def write_boxes(mx, folder):
    """Five records with one to three boxes."""
    files = [(FOLDER / name).read_bytes() for name in ("photo.png", "cat.jpg")]
    writer = mx.recordio.MXIndexedRecordIO(str(folder / "a.idx"), str(folder / "a.rec"), "w")
    for key in range(5):
        objects = [[k, 0.1 + 0.1 * k, 0.2, 0.5 + 0.1 * k, 0.7] for k in range(1 + key % 3)]
        label = np.array([2, 5, *np.ravel(objects)], dtype="f")
        writer.write_idx(key, mx.recordio.pack((0, label, key, 0), files[key % 2]))
    writer.close()


def record_boxes(mx):
    """{name: labels or pixels} of an epoch of `ImageDetRecordIter`."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        write_boxes(mx, Path(folder))
        for name, options in DETECTED.items():
            data = record_iterator(mx, "ImageDetRecordIter", Path(folder), {"batch_size": 2, **options})
            for number, batch in enumerate(data):
                found[f"{name} label {number}"] = batch.label[0].asnumpy()
                found[f"{name} index {number}"] = batch.index.astype(np.int64)
                found[f"{name} {number}"] = batch.data[0].asnumpy()
    return found


PROGRAMS = {
    f.__name__: f
    for f in (
        reading,
        scaling,
        random_parts,
        turning,
        transforming,
        data_sets,
        changes,
        batches,
        box_batches,
        record_rounds,
        record_pixels,
        record_boxes,
    )
}


def run(mx, name):
    """{name: array} of a program."""
    made = PROGRAMS[name](mx)
    return {key: np.asarray(x.asnumpy() if hasattr(x, "asnumpy") else x) for key, x in made.items()}
