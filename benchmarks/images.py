"""Do pictures arrive as fast as they can be decoded, and faster than the real MXNet's?

    python benchmarks/images.py [--json FILE]

A thousand JPEGs of about 500x375, tiled from the photographs in scikit-learn (and scikit-image, if it is
there), in a file of records. An epoch of `ImageRecordIter` with resize 256, random cuts of 224, mirroring,
mean and deviation, on two threads; beside it the bare decoding of the same files by two threads. Then the
share of time that a loop waits whose steps take longer than decoding: without the processor, and the training
of a network on it (measured by the profiler).
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
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


def waiting(mx, step: Callable) -> tuple[float, float]:
    """(seconds, share of them in which the loop waits) of an epoch with a step, by the profiler."""
    data = iterator(mx)
    for batch in data:
        step(batch)
    data.reset()
    mx.nd.waitall()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        mx.profiler.set_config(filename=str(trace), profile_all=True)
        mx.profiler.set_state("run")
        begin = time.perf_counter()
        for batch in data:
            step(batch)
        seconds = time.perf_counter() - begin
        mx.profiler.set_state("stop")
        mx.profiler.dump()
        events = json.loads(trace.read_text())["traceEvents"]
    waits = sum(event["dur"] for event in events if event["name"] == "wait_for_batch") / 1e6
    return seconds, waits / seconds


def training(mx):
    """A step of training a small network of convolutions."""
    net = mx.gluon.nn.HybridSequential()
    for channels in (16, 32, 64):
        net.add(mx.gluon.nn.Conv2D(channels, 3, strides=2, activation="relu"))
    net.add(mx.gluon.nn.GlobalAvgPool2D(), mx.gluon.nn.Dense(10))
    net.initialize()
    net.hybridize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01})
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()

    def step(batch):
        with mx.autograd.record():
            loss = loss_of(net(batch.data[0]), batch.label[0])
        loss.backward()
        trainer.step(BATCH)
        loss.wait_to_read()

    return step


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
    pause = 1.3 * seconds["mxcy"] * BATCH / COUNT
    steps = {f"steps of {pause * 1e3:.0f} ms": lambda batch: time.sleep(pause), "training": training(mx)}
    for name, step in steps.items():
        taken, share = waiting(mx, step)
        print(f"  {name}: {COUNT / taken:.0f} images/s, waits {100 * share:.1f}% of the time")
    finish(options, table)


if __name__ == "__main__":
    main()
