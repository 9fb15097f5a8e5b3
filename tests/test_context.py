"""Contexts as in MXNet 1.9.1, and a default that belongs to each thread."""

import copy
import pickle
import subprocess
import sys
import threading

import pytest

from mxcy import context
from mxcy.context import Context, cpu, cpu_pinned, cpu_shared, current_context, gpu
from mxcy.errors import ArgumentError, MXNetError


class FakeDriver:
    """Two GPUs whose memory cannot be read, which leaves nothing behind."""

    def __init__(self, failure):
        self.failure = failure
        self.depth = []

    def cuDeviceGetCount(self, count):
        count._obj.value = 2
        return 0

    def cuDeviceGet(self, device, number):
        device._obj.value = number
        return 0

    def cuDevicePrimaryCtxRetain(self, handle, device):
        self.depth.append("retain")
        return 0

    def cuCtxPushCurrent_v2(self, handle):
        self.depth.append("push")
        return 0

    def cuMemGetInfo_v2(self, free, total):
        free._obj.value, total._obj.value = 3 << 32, 5 << 32
        return self.failure

    def cuCtxPopCurrent_v2(self, handle):
        assert self.depth.pop() == "push"
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device):
        assert self.depth.pop() == "retain"
        return 0


def test_names_numbers_and_types_are_mxnets():
    assert [str(c) for c in (cpu(), gpu(1), cpu_pinned(), cpu_shared(2))] == [
        "cpu(0)",
        "gpu(1)",
        "cpu_pinned(0)",
        "cpu_shared(2)",
    ]
    assert [c.device_typeid for c in (cpu(), gpu(), cpu_pinned(), cpu_shared())] == [1, 2, 3, 5]
    assert {Context.devtype2str[number]: number for number in Context.devtype2str} == Context.devstr2type
    assert gpu(3).device_type == "gpu" and gpu(3).device_id == 3
    assert repr(gpu(3)) == "gpu(3)"


def test_equal_contexts_are_one_key():
    assert Context("gpu", 1) == gpu(1) == Context(gpu(1))
    assert len({cpu(), cpu(0), Context("cpu")}) == 1
    assert gpu(0) != gpu(1) and cpu() != cpu_pinned() and cpu() != "cpu(0)"
    for twin in (pickle.loads(pickle.dumps(gpu(1))), copy.deepcopy(gpu(1))):
        assert twin == gpu(1)


@pytest.mark.parametrize("arguments", [("tpu",), ("cpu", -1), (None,)])
def test_bad_device_is_an_error_of_both_kinds(arguments):
    with pytest.raises(MXNetError, match=r"Context\(device_(type|id)\): expected"):
        Context(*arguments)
    with pytest.raises(ValueError):
        Context(*arguments)
    with pytest.raises(TypeError, match="an integer, got 1.5"):
        gpu(1.5)


def test_with_sets_the_default_and_restores_it_after_an_error():
    one = gpu(1)
    with one, cpu_pinned(), one:
        assert current_context() == gpu(1)
    with pytest.raises(KeyError), one:
        raise KeyError
    assert current_context() == Context.default_ctx == cpu()


def test_default_can_be_set():
    try:
        Context.default_ctx = gpu(2)
        with cpu(1):
            Context.default_ctx = gpu(3)
            assert current_context() == gpu(3)
        assert current_context() == gpu(2)
    finally:
        Context.default_ctx = cpu()


def test_one_context_can_be_entered_by_several_threads():
    shared, seen, entered, leave = gpu(1), [], threading.Event(), threading.Event()

    def other():
        seen.append(current_context())
        with shared:
            entered.set()
            leave.wait()
        seen.append(current_context())

    thread = threading.Thread(target=other)
    with cpu(7):
        thread.start()
        entered.wait()
        with shared:
            leave.set()
            thread.join()
        assert current_context() == cpu(7)
    assert seen == [cpu(), cpu()]


def test_no_driver_means_no_gpus(monkeypatch):
    monkeypatch.setattr(context, "_driver", lambda: None)

    assert context.num_gpus() == 0
    with pytest.raises(ArgumentError, match="below 0"):
        context.gpu_memory_info(0)


@pytest.mark.parametrize("failure, error", [(0, None), (2, MemoryError), (700, MXNetError)])
def test_memory_info_releases_what_it_takes(monkeypatch, failure, error):
    driver = FakeDriver(failure)
    monkeypatch.setattr(context, "_driver", lambda: driver)
    if error is None:
        assert context.gpu_memory_info(1) == (3 << 32, 5 << 32)
    else:
        with pytest.raises(error):
            context.gpu_memory_info(1)
    assert driver.depth == []
    with pytest.raises(ArgumentError, match="below 2"):
        context.gpu_memory_info(2)


def test_counting_gpus_imports_no_numba():
    script = "import sys, mxcy.context as c; assert c.num_gpus() >= 0; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_cached_memory_is_given_back():
    from mxcy import _engine, nd

    nd.ones((1000, 1000)).wait_to_read()
    nd.waitall()
    cpu().empty_cache()

    assert _engine._pool()["cached"] == 0
    gpu(1000).empty_cache()
