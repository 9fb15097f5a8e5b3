"""The members of a distributed job as its coordinator knows them, without processes."""

import pytest

from mxcy.kvstore.dist.frames import Frame, Kind
from mxcy.kvstore.dist.job import options_for
from mxcy.kvstore.dist.membership import Membership, Options


def join(core, rank, machine="a", kind="dist_sync", aggregator=True, **how):
    options = options_for(kind, core.options, **how)
    body = {"method": "join", "machine": machine, "host": "h", "pid": 100 + rank, "kind": kind,
            "levels": list(options.levels), "staleness": options.staleness,
            "aggregator": aggregator}  # fmt: skip
    return core.handle(rank, Frame(Kind.CALL, request=rank, body=body))


def test_workers_wait_for_each_other_and_learn_the_members():
    core = Membership(Options(workers=3), {0: "tcp://x:1"})

    assert join(core, 0, "a") == []
    assert join(core, 1, "b") == []
    found = join(core, 2, "b")[0][1].body

    assert found["members"] == {"upper": [3, 4], "machines": {"a": [0], "b": [1, 2]}, "ranks": [0, 1, 2]}
    assert found["aggregated"]
    assert found["endpoints"] == {"0": "tcp://x:1"}


@pytest.mark.parametrize("having", [(), (1, 2)])
def test_machines_send_no_sums_where_one_has_no_aggregator(having, tmp_path):
    core = Membership(Options(workers=3), {0: "tcp://x:1"}, tmp_path / "c0")
    for rank, machine in enumerate("abb"):
        out = join(core, rank, machine, aggregator=rank in having)

    assert out[0][1].body["members"]["upper"] == [0, 1, 2]  # the servers wait for the workers
    assert not out[0][1].body["aggregated"]
    new = Membership(Options(workers=3), None, tmp_path / "c0")

    assert [w.aggregator for w in new.workers] == [rank in having for rank in range(3)]
    assert new.members() == core.members()
    new.close()


def test_who_does_not_come_is_named():
    core = Membership(Options(workers=3, join=10, timeout=20))
    core.tick(100.0)
    join(core, 0)
    join(core, 2)

    assert core.tick(109.0) == []
    out = core.tick(111.0)

    assert {sender for sender, _ in out} == {0, 2}
    assert "worker 1 did not arrive" in out[0][1].body["text"]


@pytest.mark.parametrize("elastic", [False, True])
def test_who_falls_silent_is_lost(elastic):
    core = Membership(Options(workers=2, elastic=elastic, lost_after=5))
    core.tick(10.0)
    join(core, 0)
    join(core, 1)
    barrier = Frame(Kind.CALL, request=4, body={"method": "barrier", "number": 0})
    core.handle(0, barrier)
    core.pong(0, barrier)
    core.tick(14.0)
    core.pong(0, barrier)
    out = core.tick(16.0)
    told = core.pong(0, barrier)

    assert told["dead"] == 1
    if elastic:
        assert [f.kind for _, f in out] == [Kind.RESULT]
        assert (told["epoch"], told["members"]["upper"], told["failed"]) == (1, [0], None)
    else:
        assert "worker 1 (process 101 on h) has not been heard of for 5 s" in out[0][1].body["text"]
        assert told["failed"] is not None


def declare(core, rank, *specs, again=False):
    keys = [{"key": key, "shape": shape, "dtype": "float32"} for key, shape in specs]
    body = {"method": "declare", "keys": keys, "again": again, "number": len(core.keys)}
    return core.handle(rank, Frame(Kind.CALL, request=5, body=body))


def test_keys_have_one_shape_and_are_made_once():
    core = Membership(Options(workers=2))
    join(core, 0)
    join(core, 1)
    declare(core, 0, ("w", [2]))
    out = declare(core, 1, ("w", [2]))

    assert [f.body["keys"][0]["number"] for _, f in out] == [0, 0]
    assert "duplicate init of key 'w'" in declare(core, 0, ("w", [2]))[0][1].body["text"]
    declare(core, 0, ("v", [2]))
    out = declare(core, 1, ("v", [3]))

    text = out[0][1].body["text"]

    assert "expected shape [2], as worker 0 (process 100 on h) has, got [3] from worker 1" in text
    assert len(out) == 2


def test_all_workers_want_one_kind():
    core = Membership(Options(workers=2))
    join(core, 0)
    out = join(core, 1, kind="dist_async")

    assert len(out) == 2
    assert "dist_async" in out[0][1].body["text"]


def test_a_new_coordinator_knows_what_the_old_one_knew(tmp_path):
    path = tmp_path / "c0"
    core = Membership(Options(workers=2), {0: "tcp://x:1"}, path)
    join(core, 0)
    join(core, 1)
    declare(core, 0, ("w", [2]))
    declare(core, 1, ("w", [2]))
    core.bound(1234)
    new = Membership(Options(workers=2), None, path)

    assert (new.port, new.endpoints, new.keys) == (1234, {0: "tcp://x:1"}, core.keys)
    assert [w.state for w in new.workers] == ["joined", "joined"]
    assert join(new, 1)[0][1].body["again"]
    found = declare(new, 1, ("w", [2]), again=True)[0][1].body

    assert (found["keys"][0]["meeting"], found["met"]) == (0, 0)
    new.close()

    assert not path.exists()


@pytest.mark.parametrize(
    ("kind", "how", "error"),
    [
        ("dist_sync", {"consistency": ("strict", "sequential")}, "a pair"),
        ("dist_sync", {"consistency": ("sequential",)}, "a pair"),
        ("dist_sync", {"staleness": 2}, "eventual"),
        ("dist_async", {"staleness": -1}, "0 or more"),
    ],
)
def test_options_of_consistency_are_checked(kind, how, error):
    with pytest.raises(ValueError, match=error):
        options_for(kind, Options(), **how)
