"""Metrics against the real MXNet 1.9.1 (tests/golden/make_metrics.py)."""

import json
from pathlib import Path

import numpy as np
import pytest

from mxcy import metric, nd

CASES = json.loads((Path(__file__).parent / "golden" / "metrics.json").read_text())


def batches(kind):
    """Labels and predictions of three batches, as the script draws them."""
    rs = np.random.RandomState(5)
    for _ in range(3):
        if kind == "numbers":
            label = rs.randn(8).astype("f")
            yield label, (label + rs.randn(8) * 0.5).astype("f")
        else:
            n = 2 if kind == "two" else 4
            label = rs.randint(0, n, 8).astype("f")
            pred = rs.rand(8, n) + 0.7 * np.eye(n)[label.astype(int)]
            yield label, (pred / pred.sum(1, keepdims=True)).astype("f")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['metric']}-{case['attrs']}-{case['kind']}")
def test_values_are_mxnets(case):
    measure = metric.create(case["metric"], **case["attrs"])

    assert measure.name == case["name"]
    for i, (label, pred) in enumerate(batches(case["kind"])):
        measure.update([nd.array(label)], [nd.array(pred)])

        local, overall = case["values"][i]
        assert measure.get()[1] == pytest.approx(local, rel=1e-5)
        if case["attrs"] != {"average": "micro"} or case["metric"] != "pearsonr":  # MXNet's is always 0
            assert measure.get_global()[1] == pytest.approx(overall, rel=1e-5)
        if i == 1:
            measure.reset_local()
    measure.reset()

    assert np.isnan(measure.get()[1])


def test_f1_is_of_two_classes():
    with pytest.raises(ValueError, match="binary"):
        metric.F1().update([nd.array([0.0, 1, 2])], [nd.ones((3, 3))])
