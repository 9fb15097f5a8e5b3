"""A variational autoencoder with a loss of its own, two trainers and noise from NumPy."""

import mxnet as mx
import numpy as np
from command import digits, main
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

BATCH, HIDDEN = 10, 3
X = digits(BATCH, 6)[0].reshape(BATCH, -1)
NOISE = np.random.RandomState(5).randn(20, BATCH, HIDDEN).astype("float32")


def networks():
    encoder, decoder = nn.HybridSequential(prefix="encoder_"), nn.HybridSequential(prefix="decoder_")
    with encoder.name_scope():
        encoder.add(
            nn.Dense(12, activation="softsign", in_units=X.shape[1]), nn.Dense(2 * HIDDEN, in_units=12)
        )
    with decoder.name_scope():
        decoder.add(nn.Dense(12, in_units=HIDDEN), nn.LeakyReLU(0.1), nn.LayerNorm(in_channels=12))
        decoder.add(nn.Dense(X.shape[1], in_units=12))
    return encoder, decoder


def make(folder):
    for name, net in zip(("encoder", "decoder"), networks(), strict=True):
        net.initialize(mx.init.Orthogonal(1.0))
        net.save_parameters(folder + f"/start-{name}.params")


def loss_of(encoder, decoder, x, noise):
    code = encoder(x)
    mean, log_variance = nd.split(code, 2, axis=1)
    drawn = mean + noise * nd.exp(0.5 * log_variance)
    found = decoder(drawn)
    error = gluon.loss.SigmoidBinaryCrossEntropyLoss()(found, x) * X.shape[1]
    divergence = -0.5 * nd.sum(1 + log_variance - nd.square(mean) - nd.exp(log_variance), axis=1)
    return nd.mean(error + divergence)


def run(folder):
    encoder, decoder = networks()
    encoder.load_parameters(folder + "/start-encoder.params")
    decoder.load_parameters(folder + "/start-decoder.params")
    decoder.hybridize()
    trainers = [
        gluon.Trainer(encoder.collect_params(), "adam", {"learning_rate": 0.02, "beta1": 0.8}),
        gluon.Trainer(decoder.collect_params(), "adagrad", {"learning_rate": 0.1}),
    ]
    x, losses = nd.array(X), []
    for noise in NOISE:
        with autograd.record():
            loss = loss_of(encoder, decoder, x, nd.array(noise))
        autograd.backward([loss])
        for trainer in trainers:
            trainer.step(1)
        losses.append(float(loss.asscalar()))
    encoder.save_parameters(folder + "/model-encoder.params")
    decoder.save_parameters(folder + "/model-decoder.params")
    return {"losses": losses, "outputs": outputs(encoder, decoder)}


def outputs(encoder, decoder):
    mean = encoder(nd.array(X))[:, :HIDDEN]
    return nd.sigmoid(decoder(mean)).asnumpy()[:4].tolist()


def read(folder):
    encoder, decoder = networks()
    encoder.load_parameters(folder + "/model-encoder.params")
    decoder.load_parameters(folder + "/model-decoder.params")
    return {"outputs": outputs(encoder, decoder)}


if __name__ == "__main__":
    main(make, run, read)
