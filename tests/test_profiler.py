"""`mx.profiler`: what is recorded, and the files and tables that are made of it."""

import json
import os
import subprocess
import sys
import threading

import pytest

import mxcy as mx
from mxcy import nd, profiler
from mxcy.errors import ArgumentError, ArgumentTypeError


@pytest.fixture
def trace(tmp_path):
    """Function that ends profiling and returns the events of the file, by phase."""
    before = dict(profiler._config)
    profiler.set_config(filename=str(tmp_path / "trace.json"), aggregate_stats=True)

    def read(finished=True):
        profiler.dump(finished)
        by_phase = {}
        for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]:
            by_phase.setdefault(event["ph"], []).append(event)
        return by_phase

    yield read
    profiler.resume()
    profiler.dump()
    profiler.dumps(reset=True)
    profiler._config.update(before)


def work():
    a = nd.ones((300, 300))
    nd.dot(a, a).wait_to_read()
    return a


def names(events, category):
    return [event["name"] for event in events if event["cat"] == category]


def test_operations_have_lanes_and_durations(trace):
    profiler.start()
    kept = work()
    mx.nd.waitall()
    profiler.stop()
    work()
    seen = trace()

    assert names(seen["X"], "operator") == ["_ones", "matmul"]
    assert all(event["dur"] >= 0 and event["ts"] > 0 for event in seen["X"])
    lanes = {(event["pid"], event["tid"]) for event in seen["M"] if event["name"] == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in seen["X"]} == lanes
    starts = [event["ts"] for event in seen["X"]]
    assert starts == sorted(starts)
    assert min(event["args"]["Memory: cpu/0"] for event in seen["C"]) >= kept.size * 4 / 1000


def test_small_arithmetic_is_seen_while_the_profiler_runs(trace):
    a, b = nd.ones((3,)), nd.ones((3,))
    profiler.start()
    c = a + b
    profiler.pause()
    d = a - b
    profiler.resume()
    e = -c
    profiler.stop()
    d = d * e
    seen = trace()

    assert names(seen["X"], "operator") == ["broadcast_add", "negative"]


def test_pauses_are_left_out_and_a_trace_may_be_written_in_between(trace):
    profiler.set_state("run")
    work()
    first = trace(False)
    profiler.pause()
    work()
    mx.nd.waitall()
    profiler.resume()
    nd.dot(nd.ones((300, 300)), nd.ones((300, 300))).wait_to_read()
    profiler.set_state("stop")

    assert names(first["X"], "operator") == ["_ones", "matmul"]
    assert names(trace()["X"], "operator").count("matmul") == 2
    assert "X" not in trace()  # the last one was finished


def test_program_marks_its_own(trace):
    domain = profiler.Domain("training")
    early = domain.new_task("early")
    early.start()
    profiler.set_state("run")
    early.stop()
    task, frame, event = domain.new_task("load"), domain.new_frame("batch"), profiler.Event("step")
    with profiler.scope("epoch"):
        inner = profiler.Event("validate")
        for span in (task, frame, event, inner):
            span.start()
            span.stop()
    counter = domain.new_counter("rows", 3)
    counter += 2
    counter -= 1
    domain.new_marker("saved").mark()
    seen = trace()

    found = {(event["cat"], event["name"]) for event in seen["X"]}
    assert found == {
        ("training", "load"),
        ("training,frame", "batch"),
        ("event", "step"),
        ("event", "epoch:validate"),
        ("scope", "epoch"),
    }
    assert [e["args"]["rows"] for e in seen["C"] if e["name"] == "rows"] == [3, 5, 4]
    assert [(e["name"], e["cat"], e["s"]) for e in seen["i"]] == [("saved", "training,instant_marker", "p")]
    assert [str(thing) for thing in (domain, task, counter)] == ["training", "load", "rows"]
    main = [e for e in seen["M"] if e["name"] == "thread_name"]
    assert {e["args"]["name"] for e in main} == {threading.current_thread().name}


def test_statistics_as_json_and_as_a_table(trace):
    profiler.set_state("run")
    kept = [work() for _ in range(3)]
    mx.nd.waitall()
    found = json.loads(profiler.dumps(format="json", sort_by="count", ascending=True))

    assert set(found) == {"Time", "Memory", "Unit"}
    assert found["Time"]["operator"]["matmul"]["Count"] == 3
    for domain in found["Time"].values():
        counts = [entry["Count"] for entry in domain.values()]
        assert counts == sorted(counts)
        for entry in domain.values():
            assert entry["Min"] <= entry["Avg"] <= entry["Max"] <= entry["Total"] + 1e-12
    assert found["Memory"]["Device Storage"]["Memory: cpu/0"]["Max"] >= 360 * len(kept)

    table = profiler.dumps(reset=True)
    header = "Name                          Total Count        Time (ms)    Min Time (ms)    Max Time (ms)"
    assert table.startswith("\nProfile Statistics:\n\tNote the difference in units for different entries.\n")
    assert header in table
    assert "matmul                                  3 " in table
    profiler.set_state("stop")
    assert "matmul" not in profiler.dumps()


def test_nothing_is_recorded_that_is_not_wanted(trace):
    profiler.set_config(profile_symbolic=False, profile_imperative=False, profile_memory="False",
                        profile_api=False, aggregate_stats=False)  # fmt: skip
    profiler.set_state("run")
    work()
    seen = trace()
    profiler.set_config(profile_symbolic=True, profile_imperative=True, profile_memory=True, profile_api=True)

    assert set(seen) == {"M"}
    assert profiler.dumps().count("\n") == 3


def test_mistakes_are_named():
    with pytest.raises(ArgumentError, match=r"set_config\(file\): expected one of profile_all"):
        profiler.set_config(file="x")
    with pytest.raises(ArgumentTypeError, match=r"set_config\(profile_all\): expected True or False"):
        profiler.set_config(profile_all="maybe")
    with pytest.raises(ArgumentTypeError, match="dump_period"):
        profiler.set_config(dump_period=-1)
    with pytest.raises(ArgumentError, match="'run' or 'stop'"):
        profiler.set_state("walk")
    with pytest.raises(AssertionError, match="sort_by"):
        profiler.dumps(sort_by="name")
    with pytest.raises(AssertionError, match="format"):
        profiler.dumps(format="xml")
    with pytest.raises(ArgumentError, match="scope"):
        profiler.Marker(profiler.Domain("d"), "m").mark("galaxy")


def test_earlier_names_warn(trace, tmp_path):
    with pytest.warns(UserWarning, match="set_config"):
        profiler.profiler_set_config("all", str(tmp_path / "trace.json"))
    with pytest.warns(UserWarning, match="set_state"):
        profiler.profiler_set_state("run")
    work()
    with pytest.warns(UserWarning, match="dump"):
        profiler.dump_profile()

    assert "matmul" in (tmp_path / "trace.json").read_text()


def test_nodes_of_a_graph_are_shown_while_a_monitor_looks(trace):
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="fc")
    exe = mx.sym.softmax(net, name="out").simple_bind(mx.cpu(), data=(2, 3))
    shown = []
    for callback in (None, lambda name, array: None):
        exe.set_monitor_callback(callback)
        profiler.set_state("run")
        exe.forward()
        mx.nd.waitall()
        shown.append(set(names(trace()["X"], "operator")))

    assert "graph" in shown[0]
    assert "softmax" in shown[1] and "graph" not in shown[1]


class Twice(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0] * 2)
        mx.nd.zeros((3, 3))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], mx.nd.array(out_grad[0].asnumpy() * 2))


@mx.operator.register("profiled_twice")
class TwiceProperties(mx.operator.CustomOpProp):
    def create_operator(self, ctx, shapes, dtypes):
        return Twice()


def test_operators_in_python_show_what_they_call_under_their_name(trace):
    x = nd.ones((300, 300))
    x.attach_grad()
    profiler.start()
    with mx.autograd.record():
        y = nd.Custom(x, op_type="profiled_twice")
    y.backward()
    graph = mx.sym.Custom(mx.sym.Variable("x"), op_type="profiled_twice")
    graph.bind(mx.cpu(), {"x": x}).forward()
    (nd.ones((2,)) - 3).wait_to_read()
    times = json.loads(profiler.dumps(format="json"))["Time"]
    calls = {name: row["Count"] for name, row in times["Custom Operator"].items()}

    assert {name: calls[name] for name in calls if not name.endswith(("::copy", "::fill"))} == {
        "profiled_twice::pure_python": 2, "profiled_twice::_mul_scalar": 2, "profiled_twice::_zeros": 2,
        "_backward_profiled_twice::pure_python": 1,
    }  # fmt: skip
    assert "_minus_scalar" in times["operator"]


def test_a_variable_starts_the_profiler_for_a_whole_program(tmp_path):
    environment = os.environ | {"MXNET_PROFILER_AUTOSTART": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    program = "import mxcy as mx; mx.nd.sqrt(mx.nd.ones((2, 2))).wait_to_read()"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, timeout=120)
    events = json.loads((tmp_path / "profile.json").read_text())["traceEvents"]

    assert "sqrt" in names([event for event in events if event["ph"] == "X"], "operator")
