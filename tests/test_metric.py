"""Metrics: values measured with MXNet 1.9.1, totals, names, and results that are not waited for."""

import math

import numpy as np
import pytest

import mxcy as mx
from mxcy import metric, nd

P = [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]]
L = [2, 1, 1, 0]


def updated(measure, *batches):
    for labels, preds in batches:
        measure.update([nd.array(labels)], [nd.array(preds)])
    return measure


def value(measure, *batches):
    return updated(measure, *batches).get()[1]


@pytest.mark.parametrize(
    ("measure", "batches", "expected", "total", "count"),
    [
        (metric.Accuracy(), [(L, P), (L[:3], P[:3])], 4 / 7, 4, 7),
        (metric.Accuracy(), [([2, 1, 1, 0], [2, 1, 0, 0])], 0.75, 3, 4),
        (metric.Accuracy(), [([[2, 1], [1, 0]], [[2, 1], [1, 1]])], 0.75, 3, 4),
        (metric.Accuracy(axis=0), [([2, 1, 1], P)], 0.0, 0, 3),
        (metric.Accuracy(), [([[2], [1], [1], [0]], P)], 0.5, 2, 4),
        (metric.TopKAccuracy(2), [([0, 1, 1], P[:3]), ([2], P[3:])], 0.75, 3, 4),
        (metric.TopKAccuracy(2), [([1, 0], [1, 1])], 0.5, 1, 2),
        (metric.CrossEntropy(), [(L, P), (L[:3], P[:3])], 0.7638456480843681, 5.346919536590576, 7),
        (metric.CrossEntropy(), [([[2], [1], [1], [0]], P)], 0.8188615441322327, 3.2754461765289307, 4),
        (metric.NegativeLogLikelihood(), [(L, P), (L[:3], P[:3])], 0.7638456480843681, 5.346919536590576, 7),
        (metric.Perplexity(None), [(L, P), (L[:3], P[:3])], 2.1465151101293394, 5.346919536590576, 7),
        (metric.Perplexity(1), [(L, P), (L[:3], P[:3])], 1.894789148544885, 1.9173226952552795, 3),
        (metric.Loss(), [(L, P), (L[:3], P[:3])], 1 / 3, 7, 21),
        (metric.MAE(), [([1, 2, 3], [1, 2, 5]), ([1.0], [0.0])], 0.8333333432674408, 1.6666666865348816, 2),
        (metric.MSE(), [([1, 2, 3], [1, 2, 5]), ([1.0], [0.0])], 1.1666666865348816, 2.333333373069763, 2),
        (metric.RMSE(), [([1, 2, 3], [1, 2, 5]), ([1.0], [0.0])], 1.0773502588272095, 2.154700517654419, 2),
        (metric.MAE(), [([[1, 2], [2, 3]], [[1, 2], [2, 5]])], 0.5, 0.5, 1),
        (metric.MSE(), [([1, 2], [[1], [5]])], 4.5, 4.5, 1),
    ],
    ids=lambda found: type(found).__name__ if isinstance(found, metric.EvalMetric) else "",
)
def test_values_are_mxnets(measure, batches, expected, total, count):
    updated(measure, *batches)

    assert measure.get()[1] == pytest.approx(expected, rel=1e-6)
    assert measure.get_global()[1] == pytest.approx(expected, rel=1e-6)
    assert measure.sum_metric == pytest.approx(total, rel=1e-6)
    assert measure.num_inst == count


@pytest.mark.parametrize(
    ("error", "match", "measure", "batch"),
    [
        (ValueError, "labels 2 does not match shape of predictions 4", metric.Accuracy(), ([2, 1], P)),
        (AssertionError, "expected 4, one for each row of .*, got 2", metric.CrossEntropy(), ([2, 1], P)),
        (AssertionError, "shape mismatch: .2,. vs. .4, 3.", metric.Perplexity(None), ([2, 1], P)),
        (ValueError, "top_k.*at most the number of classes, 3", metric.TopKAccuracy(5), (L, P)),
        (AssertionError, "at most 2 dimensions", metric.TopKAccuracy(2), (L, [[P]])),
        (IndexError, "3 is out of bounds", metric.CrossEntropy(), ([3, 0, 0, 0], P)),
    ],
)
def test_what_does_not_fit_is_an_error(error, match, measure, batch):
    with pytest.raises(error, match=match) as caught:
        value(measure, batch)
    assert isinstance(caught.value, mx.MXNetError)


def test_nothing_yet_is_nan():
    measure = metric.Accuracy()

    assert math.isnan(measure.get()[1])
    assert math.isnan(metric.Perplexity(None).get()[1])
    assert str(measure) == "EvalMetric: {'accuracy': nan}"


def test_local_totals_can_be_reset_alone():
    measure = updated(metric.Accuracy(), (L, P))
    measure.reset_local()

    assert math.isnan(measure.get()[1])
    assert measure.get_global() == ("accuracy", 0.5)

    updated(measure, ([1], [[0, 1]]))

    assert measure.get() == ("accuracy", 1.0)
    assert measure.get_global_name_value() == [("accuracy", 0.6)]

    measure.reset()

    assert math.isnan(measure.get_global()[1])


def test_values_are_those_of_the_time_of_the_update():
    """Outputs are overwritten by the next batch while the metric has not been read."""
    measure = metric.Accuracy()
    pred, label = nd.array(P), nd.array(L)
    measure.update([label], [pred])
    pred[:] = 0
    label[:] = 7

    assert measure.get() == ("accuracy", 0.5)


def test_many_updates_keep_few_results():
    measure = metric.Accuracy()
    for _ in range(500):
        measure.update([nd.array(L)], [nd.array(P)])

    assert len(measure._local._pending) <= 64
    assert measure.get() == ("accuracy", 0.5)
    assert measure.num_inst == 2000


def test_arrays_of_numpy_and_single_arrays_will_do():
    measure = metric.Accuracy()
    measure.update([np.array(L)], [np.array(P)])
    measure.update(nd.array(L), nd.array(P))

    assert measure.get() == ("accuracy", 0.5)


def test_names_choose_labels_and_outputs():
    label, wrong = nd.array(L), nd.array([1, 1, 1, 1])
    measure = metric.Accuracy(output_names=["o"], label_names=["l"])
    measure.update_dict({"q": wrong, "l": label}, {"o": nd.array(P), "p": wrong})

    assert measure.get() == ("accuracy", 0.5)
    with pytest.raises(ValueError, match="labels 2 does not match shape of predictions 1"):
        metric.Accuracy().update_dict({"l": label, "q": wrong}, {"o": nd.array(P)})


def test_composite():
    measure = metric.create(["acc", metric.MSE()])
    measure.add("ce")
    accuracy, error = measure.get_metric(0), measure.get_metric(1)

    assert (accuracy.name, error.name) == ("accuracy", "mse")
    assert measure.get()[0] == ["accuracy", "mse", "cross-entropy"]
    with pytest.raises(ValueError, match="a number below 3, got 5"):
        measure.get_metric(5)

    pair = updated(metric.create(["acc", "ce"]), (L, P))

    assert pair.get_name_value() == [("accuracy", 0.5), ("cross-entropy", pytest.approx(0.8188615441322327))]
    assert pair.get_global_name_value() == pair.get_name_value()
    pair.reset_local()
    assert math.isnan(pair.get()[1][0])
    assert pair.get_global()[1][0] == 0.5
    pair.reset()
    assert math.isnan(pair.get_global()[1][0])


def test_functions_of_numpy():
    measure = metric.np(lambda label, pred: float((label == pred.argmax(1)).mean()))

    assert measure.name == "custom(<lambda>)"
    assert value(measure, (L, P)) == 0.5

    def twice(label, pred):
        return 3.0, 2

    assert updated(metric.np(twice), (L, P)).get() == ("twice", 1.5)
    assert metric.create(twice).name == "twice"
    assert metric.CustomMetric(twice, name="other").name == "other"

    extra = metric.np(twice, allow_extra_outputs=True)
    extra.update([nd.array(L)], [nd.array(P), nd.array(P)])

    assert extra.get()[1] == 1.5
    with pytest.raises(NotImplementedError):
        extra.get_config()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("acc", metric.Accuracy), ("Accuracy", metric.Accuracy), ("ce", metric.CrossEntropy),
     ("mse", metric.MSE),
     ("crossentropy", metric.CrossEntropy), ("nll_loss", metric.NegativeLogLikelihood), ("rmse", metric.RMSE),
     ("composite", metric.CompositeEvalMetric), ("loss", metric.Loss), ('["mae", {}]', metric.MAE)],
)  # fmt: skip
def test_create_by_name(name, kind):
    assert type(metric.create(name)) is kind


def test_create_takes_arguments_and_metrics():
    assert metric.create("top_k_acc", top_k=3).name == "top_k_accuracy_3"
    assert metric.create("top_k_accuracy", 5).name == "top_k_accuracy_5"
    accuracy = metric.Accuracy()
    assert metric.create(accuracy) is accuracy


def test_configuration_makes_an_equal_metric():
    assert metric.Accuracy().get_config() == {
        "axis": 1, "metric": "Accuracy", "name": "accuracy", "output_names": None, "label_names": None,
    }  # fmt: skip
    composite = metric.create(["acc", "mse"]).get_config()

    assert [m["metric"] for m in composite["metrics"]] == ["Accuracy", "MSE"]
    assert metric.create({**metric.Accuracy(axis=2).get_config()}).axis == 2


@pytest.mark.parametrize(
    ("argument", "match"),
    [("acuracy", "did you mean accuracy"), ("cross-entropy", "is not registered"), (3, "string type")],
)
def test_create_names_what_it_cannot_make(argument, match):
    with pytest.raises(AssertionError, match=match) as caught:
        metric.create(argument)
    assert isinstance(caught.value, mx.MXNetError)
    with pytest.raises(AssertionError, match="use Accuracy"):
        metric.TopKAccuracy()


def test_own_metrics_may_add_to_the_totals_directly():
    @metric.register
    @metric.alias("a_half")
    class Half(metric.EvalMetric):
        def __init__(self, **kwargs):
            super().__init__("half", **kwargs)

        def update(self, labels, preds):
            self.sum_metric += 1
            self.num_inst += 2
            self.global_sum_metric += 1
            self.global_num_inst += 4

    measure = updated(metric.create("a_half", has_global_stats=True), (L, P), (L, P))
    without = updated(metric.create("a_half"), (L, P), (L, P))

    assert measure.get() == without.get() == without.get_global() == ("half", 0.5)
    assert measure.get_global() == ("half", 0.25)
    with pytest.raises(NotImplementedError):
        metric.EvalMetric("none").update([], [])


def test_shapes_are_checked_as_in_mxnet():
    with pytest.raises(ValueError, match="labels 3 does not match shape of predictions 4"):
        metric.check_label_shapes(nd.ones(3), nd.ones(4))
    with pytest.raises(ValueError, match=r"labels \(3, 1\) does not match shape of predictions \(3, 2\)"):
        metric.check_label_shapes(nd.ones((3, 1)), nd.ones((3, 2)), shape=True)
    labels, preds = metric.check_label_shapes(nd.ones(1), nd.ones(1), True)

    assert isinstance(labels, list)
    assert isinstance(preds, list)


class TaskAccuracy(metric.EvalMetric):
    """A metric of several tasks with totals of its own, as in MXNet's example of multi-task learning."""

    def __init__(self, tasks):
        self.tasks = tasks
        super().__init__("accuracy")

    def reset(self):
        self.sum_metric = [0.0] * self.tasks
        self.num_inst = [0] * self.tasks

    reset_local = reset

    def update(self, labels, preds):
        for task, (label, pred) in enumerate(zip(labels, preds, strict=True)):
            self.sum_metric[task] += float((label == pred.argmax(axis=1)).sum().asscalar())
            self.num_inst[task] += label.size

    def get(self):
        ratios = [a / b for a, b in zip(self.sum_metric, self.num_inst, strict=True)]
        return zip(*((f"task{i}", ratio) for i, ratio in enumerate(ratios)), strict=True)

    def get_name_value(self):
        return list(zip(*self.get(), strict=True))


def test_metrics_without_totals_of_epochs_are_asked_for_what_they_define():
    measure = TaskAccuracy(2)
    both = metric.CompositeEvalMetric([measure, "mse"])
    measure.update([nd.array([0, 1]), nd.array([0, 0])], [nd.array([[1, 0], [0, 1]])] * 2)
    expected = [("task0", 1.0), ("task1", 0.5)]

    assert measure.get_global_name_value() == measure.get_name_value() == expected
    assert both.get_name_value()[:2] == both.get_global_name_value()[:2] == expected
    assert both.get_global()[0] == ["task0", "task1", "mse"]
