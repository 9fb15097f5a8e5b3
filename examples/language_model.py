"""A language model of English prose: an LSTM that reads the reference manual of Python letter by letter.

    python examples/language_model.py

Trains on the first nine tenths of the manual's topics (the standard library holds them) and tests on the
rest. Ends with an error unless the perplexity per letter falls below that of a bigram model, which knows
how often each letter follows each other one. No network, no further packages. MXCY_EXAMPLE_SHORT=1 trains
a smaller network for less.
"""

import os
import sys
import time
from collections import Counter
from pydoc_data.topics import topics

import numpy as np

import mxcy as mx
from mxcy import autograd, gluon, nd

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
HIDDEN, LAYERS = (96, 1) if SHORT else (256, 2)
STEPS = 180 if SHORT else 500
BATCH, LENGTH = 32, 48


def letters():
    """Return (numbers of the letters to train with, those to test with, how many letters there are)."""
    text = " ".join(" ".join(topics[name].split()) for name in sorted(topics))
    common = sorted(letter for letter, count in Counter(text).items() if count >= 20)
    number = {letter: i + 1 for i, letter in enumerate(common)}  # 0 stands for rare ones
    found = np.array([number.get(letter, 0) for letter in text])
    end = len(found) * 9 // 10
    return found[:end], found[end:], len(common) + 1


def bigram_perplexity(train, test, size):
    """Return the perplexity of the relative frequencies of pairs, with one more of each pair."""
    counts = np.ones((size, size))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    share = counts / counts.sum(axis=1, keepdims=True)
    return float(np.exp(-np.log(share[test[:-1], test[1:]]).mean()))


class Model(gluon.HybridBlock):
    """Letters as vectors, an LSTM, and scores for the next letter."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.embed = gluon.nn.Embedding(size, 32)
            self.lstm = gluon.rnn.LSTM(HIDDEN, LAYERS, input_size=32)
            self.scores = gluon.nn.Dense(size, in_units=HIDDEN, flatten=False)

    def hybrid_forward(self, F, inputs, hidden, memory):
        outputs, states = self.lstm(self.embed(inputs), [hidden, memory])
        return self.scores(outputs), states


def columns(numbers, batch):
    """The text as `batch` columns, each a part of it."""
    return numbers[: len(numbers) // batch * batch].reshape(batch, -1).T


def perplexity(model, numbers):
    """Return the perplexity of the model on a text."""
    text, batch = columns(numbers, BATCH), BATCH
    states, total, count = model.lstm.begin_state(batch), 0.0, 0
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for i in range(0, len(text) - 1 - LENGTH, LENGTH):
        scores, states = model(nd.array(text[i : i + LENGTH]), *states)
        losses = loss_of(scores.reshape((-3, 0)), nd.array(text[i + 1 : i + LENGTH + 1].ravel()))
        total, count = total + losses.sum().asscalar(), count + losses.size
    return float(np.exp(total / count))


def train(model, numbers):
    """Train for STEPS parts of the text."""
    text = columns(numbers, BATCH)
    rate = mx.lr_scheduler.CosineScheduler(STEPS, base_lr=0.01, final_lr=0.001)
    trainer = gluon.Trainer(model.collect_params(), "adam", {"learning_rate": 0.01, "lr_scheduler": rate})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    start, places = time.perf_counter(), range(0, len(text) - 1 - LENGTH, LENGTH)
    for step in range(STEPS):
        i = places[step % len(places)]
        if step % len(places) == 0:
            states = model.lstm.begin_state(BATCH)
        states = [state.detach() for state in states]
        with autograd.record():
            scores, states = model(nd.array(text[i : i + LENGTH]), *states)
            loss = loss_of(scores.reshape((-3, 0)), nd.array(text[i + 1 : i + LENGTH + 1].ravel())).mean()
        loss.backward()
        gluon.utils.clip_global_norm([p.grad() for p in model.collect_params().values()], 1.0)
        trainer.step(1)
        if (step + 1) % (STEPS // 6) == 0:
            seconds = time.perf_counter() - start
            print(f"step {step + 1:4d}   perplexity {np.exp(loss.asscalar()):6.2f}   {seconds:5.1f} s")


def main():
    """Run the example; return the exit status."""
    mx.random.seed(3)
    read, unread, size = letters()
    bigram = bigram_perplexity(read, unread, size)
    model = Model(size)
    model.initialize(mx.init.Xavier())
    model.hybridize()
    train(model, read)
    found = perplexity(model, unread)
    print(f"{len(unread)} letters that were not read: perplexity {found:.2f}, of a bigram model {bigram:.2f}")
    if not found < bigram:
        print("language_model: expected less than the bigram model", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
