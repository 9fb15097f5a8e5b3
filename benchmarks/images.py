"""Do pictures arrive as fast as they can be decoded, and faster than the real MXNet's?

    python benchmarks/images.py [--json FILE]

A thousand JPEGs of about 500x375, tiled from the photographs in scikit-learn (and scikit-image, if it is
there), in a file of records. An epoch of `ImageRecordIter` with resize 256, random cuts of 224, mirroring,
mean and deviation, on two threads; beside it the bare decoding of the same files by two threads. Then the
share of time that a training loop waits whose steps take longer than decoding.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

COUNT, BATCH, THREADS, QUALITY = 1000, 50, 2, 90
FOLDER = Path(tempfile.gettempdir()) / "mxcy-benchmark-images"
RECORDS, INDEX = FOLDER / "photos.rec", FOLDER / "photos.idx"


def photos() -> list[np.ndarray]:
    """The photographs, RGB."""
    from sklearn.datasets import load_sample_images

    found = [np.asarray(image) for image in load_sample_images().images]
    try:
        from skimage import data

        found += [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    except ImportError:
        pass
    return found


def prepare() -> None:
    """Write the records that both read: parts of the photographs at many places and scales."""
    if INDEX.is_file():
        return
    import cv2
    import simplejpeg

    from mxcy import recordio

    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    sources = photos()
    with recordio.MXIndexedRecordIO(INDEX, RECORDS, "w") as writer:
        for key in range(COUNT):
            image = sources[key % len(sources)]
            width = int(rng.integers(460, 541))
            height = round(width * 0.75)
            enlarged = cv2.resize(image, None, fx=1.9, fy=1.9, interpolation=cv2.INTER_CUBIC)
            top, left = (
                int(rng.integers(0, a - b)) for a, b in zip(enlarged.shape, (height, width), strict=False)
            )
            part = np.ascontiguousarray(enlarged[top : top + height, left : left + width])
            encoded = simplejpeg.encode_jpeg(part, QUALITY, "RGB", "420")
            writer.write_idx(key, recordio.pack((0, float(key % 10), key, 0), encoded))


def iterator(mx):
    """The iterator that is measured."""
    return mx.io.ImageRecordIter(
        path_imgrec=str(RECORDS), path_imgidx=str(INDEX), data_shape=(3, 224, 224), batch_size=BATCH,
        preprocess_threads=THREADS, resize=256, rand_crop=True, rand_mirror=True, mean_r=123.68,
        mean_g=116.78, mean_b=103.94, std_r=58.4, std_g=57.1, std_b=57.4, shuffle=True, verbose=False,
    )  # fmt: skip


def epochs(mx):
    """A function that takes an epoch's batches.

    It ends when the batches that are made ahead are done, so that each call makes as many as it takes, and
    none while another contender runs. (MXNet makes none ahead of `reset`.)
    """
    data = iterator(mx)

    def epoch():
        data.reset()
        for batch in data:
            batch.data[0].wait_to_read()
        mx.nd.waitall()

    return epoch


def decoding():
    """A function that decodes all files, and does nothing with them."""
    import simplejpeg

    from mxcy import recordio

    with recordio.MXIndexedRecordIO(INDEX, RECORDS, "r") as reader:
        files = [bytes(recordio.unpack(reader.read_idx(key))[1]) for key in range(COUNT)]
    pool = ThreadPoolExecutor(THREADS)
    parts = [files[i::THREADS] for i in range(THREADS)]

    def decode(part):
        room = np.empty(600 * 600 * 3, np.uint8)
        for data in part:
            simplejpeg.decode_jpeg(data, "RGB", buffer=room)

    return lambda: list(pool.map(decode, parts))


def waiting(mx, step: float) -> float:
    """The share of an epoch in which a loop waits whose steps take `step` seconds without the processor."""
    data = iterator(mx)
    list(data)
    data.reset()
    data.stats()
    for _ in data:
        time.sleep(step)
    found = data.stats()
    return found["waiting_s"] / found["seconds"]


def main() -> None:
    options = arguments(__doc__)
    if options.peer:
        import mxnet

        serve({"epoch": (epochs(mxnet), 1)})
        return
    prepare()
    import mxcy as mx

    peer = Peer("mxnet", __file__, THREADS)
    table = Table(f"{COUNT} JPEGs of about 500x375, {THREADS} threads")
    contenders = {"mxcy": epochs(mx), "MXNet": peer.timer("epoch"), "bare decoding": decoding()}
    seconds = table.row("epoch", contenders, rounds=5)
    peer.close()
    for name, value in seconds.items():
        print(f"  {name}: {COUNT / value:.0f} images/s")
    print(f"  mxcy takes {seconds['mxcy'] / seconds['bare decoding']:.2f} of bare decoding")
    step = 1.3 * seconds["mxcy"] * BATCH / COUNT
    print(f"  steps of {step * 1e3:.0f} ms wait {100 * waiting(mx, step):.1f}% of the time")
    finish(options, table)


if __name__ == "__main__":
    main()
