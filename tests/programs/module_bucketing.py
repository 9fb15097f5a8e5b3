"""Sequences of several lengths: BucketingModule, cells of mx.rnn, Adam."""

import mxnet as mx
import numpy as np
from command import main

BATCH, WORDS, BUCKETS = 4, 12, [4, 6]
rs = np.random.RandomState(3)
SENTENCES = [
    ((np.arange(n) * step + first) % (WORDS - 1) + 1).tolist()
    for n, step, first in zip(
        rs.choice(BUCKETS, 40), rs.randint(1, 4, 40), rs.randint(0, 9, 40), strict=True
    )
]


def batches():
    found = []
    for length in BUCKETS:
        rows = np.array([s for s in SENTENCES if len(s) == length], "float32")
        for i in range(0, len(rows) - BATCH + 1, BATCH):
            data, label = rows[i : i + BATCH], np.roll(rows[i : i + BATCH], -1, axis=1)
            found.append(
                mx.io.DataBatch(
                    [mx.nd.array(data)],
                    [mx.nd.array(label)],
                    bucket_key=length,
                    provide_data=[mx.io.DataDesc("data", data.shape)],
                    provide_label=[mx.io.DataDesc("softmax_label", label.shape)],
                )
            )
    return found[::2] + found[1::2]


def sym_gen(length):
    stack = mx.rnn.SequentialRNNCell()
    stack.add(mx.rnn.LSTMCell(num_hidden=8, prefix="lstm_"))
    stack.add(mx.rnn.GRUCell(num_hidden=6, prefix="gru_"))
    embedded = mx.sym.Embedding(mx.sym.Variable("data"), input_dim=WORDS, output_dim=5, name="embed")
    outputs, _ = stack.unroll(length, inputs=embedded, merge_outputs=True)
    scores = mx.sym.FullyConnected(mx.sym.Reshape(outputs, shape=(-1, 6)), num_hidden=WORDS, name="pred")
    label = mx.sym.Reshape(mx.sym.Variable("softmax_label"), shape=(-1,))
    return mx.sym.SoftmaxOutput(scores, label, name="softmax"), ("data",), ("softmax_label",)


def module():
    mod = mx.mod.BucketingModule(sym_gen, default_bucket_key=max(BUCKETS))
    mod.bind([("data", (BATCH, max(BUCKETS)))], [("softmax_label", (BATCH, max(BUCKETS)))])
    return mod


def make(folder):
    mod = module()
    mod.init_params(mx.init.Uniform(0.3))
    mod.save_params(folder + "/start.params")


def run(folder):
    mod = module()
    mod.load_params(folder + "/start.params")
    mod.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": 0.02, "clip_gradient": 2.0})
    metric = mx.metric.Perplexity(ignore_label=None)
    losses, data = [], batches()
    for step in range(20):
        batch = data[step % len(data)]
        metric.reset()
        mod.forward_backward(batch)
        mod.update()
        mod.update_metric(metric, batch.label)
        losses.append(float(np.log(metric.get()[1])))
    args, auxs = mod.get_params()
    mx.model.save_checkpoint(folder + "/model", 1, sym_gen(4)[0], args, auxs)
    return {"losses": losses, "outputs": outputs(folder)}


def outputs(folder):
    symbol, args, _ = mx.model.load_checkpoint(folder + "/model", 1)
    executor = symbol.simple_bind(mx.cpu(), data=(BATCH, 4), softmax_label=(BATCH, 4), grad_req="null")
    executor.copy_params_from(args)
    data = next(batch for batch in batches() if batch.bucket_key == 4).data[0]
    return executor.forward(data=data)[0].asnumpy()[:10].tolist()


def read(folder):
    return {"outputs": outputs(folder)}


if __name__ == "__main__":
    main(make, run, read)
