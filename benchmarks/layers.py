"""Are layers other than convolution as fast as MXNet's and PyTorch's?

    python benchmarks/layers.py [--json FILE] [NAME...]

Each layer at two typical sizes, forward (in training mode) and forward with backward, two threads. NAMEs
choose the rows that contain one of them.
"""

from __future__ import annotations

import sys

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

POOL = {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1)}


def recurrent(mode, gates, layers, steps, batch, size):
    """A row of RNN, with as many inputs as the state has numbers."""
    count = layers * gates * size * 2 * (size + 1)
    states = [(layers, batch, size)] * (2 if mode == "lstm" else 1)
    shapes = [(steps, batch, size), (count,), *states]
    return "RNN", shapes, {"mode": mode, "state_size": size, "num_layers": layers}


def embedding(words, size, batch):
    """A row of Embedding with a dense gradient."""
    return "Embedding", [batch, (words, size)], {"input_dim": words, "output_dim": size}


def fully_connected(batch, size, hidden):
    return "FullyConnected", [(batch, size), (hidden, size), (hidden,)], {"num_hidden": hidden}


# name: (operator of MXNet, shapes of inputs, attributes)
LAYERS = {
    "max pool 3x3/2 (32,64,112,112)": ("Pooling", [(32, 64, 112, 112)], POOL),
    "max pool 2x2/2 (32,256,28,28)": ("Pooling", [(32, 256, 28, 28)], {"kernel": (2, 2), "stride": (2, 2)}),
    "max pool 3x3/1 (32,256,14,14)": ("Pooling", [(32, 256, 14, 14)], {"kernel": (3, 3), "pad": (1, 1)}),
    "avg pool 3x3/2 (32,64,56,56)": ("Pooling", [(32, 64, 56, 56)], {**POOL, "pool_type": "avg"}),
    "global avg pool (32,2048,7,7)": (
        "Pooling",
        [(32, 2048, 7, 7)],
        {"kernel": (7, 7), "global_pool": True, "pool_type": "avg"},
    ),
    "BatchNorm (32,64,56,56)": ("BatchNorm", [(32, 64, 56, 56), *[(64,)] * 4], {"fix_gamma": False}),
    "BatchNorm (32,512,7,7)": ("BatchNorm", [(32, 512, 7, 7), *[(512,)] * 4], {"fix_gamma": False}),
    "BatchNorm (1024,512)": ("BatchNorm", [(1024, 512), *[(512,)] * 4], {"fix_gamma": False}),
    "LayerNorm (4096,768)": ("LayerNorm", [(4096, 768), (768,), (768,)], {}),
    "LayerNorm (32,128,1024)": ("LayerNorm", [(32, 128, 1024), (1024,), (1024,)], {}),
    "GroupNorm (32,64,28,28)": ("GroupNorm", [(32, 64, 28, 28), (8,), (8,)], {"num_groups": 8}),
    "GroupNorm (8,256,14,14)": ("GroupNorm", [(8, 256, 14, 14), (32,), (32,)], {"num_groups": 32}),
    "InstanceNorm (8,64,64,64)": ("InstanceNorm", [(8, 64, 64, 64), (64,), (64,)], {}),
    "InstanceNorm (8,256,16,16)": ("InstanceNorm", [(8, 256, 16, 16), (256,), (256,)], {}),
    "LRN (32,96,27,27)": ("LRN", [(32, 96, 27, 27)], {"nsize": 5}),
    "LRN (32,256,13,13)": ("LRN", [(32, 256, 13, 13)], {"nsize": 5}),
    "L2Normalization (1024,512)": ("L2Normalization", [(1024, 512)], {}),
    "L2Normalization (32,64,28,28)": ("L2Normalization", [(32, 64, 28, 28)], {"mode": "channel"}),
    "LSTM 2x200 (35,20,200)": recurrent("lstm", 4, 2, 35, 20, 200),
    "LSTM 1x512 (50,32,512)": recurrent("lstm", 4, 1, 50, 32, 512),
    "GRU 1x256 (50,32,256)": recurrent("gru", 3, 1, 50, 32, 256),
    "avg pool 2x2/2 (32,256,28,28)": (
        "Pooling",
        [(32, 256, 28, 28)],
        {"kernel": (2, 2), "stride": (2, 2), "pool_type": "avg"},
    ),
    "global avg pool (32,512,14,14)": (
        "Pooling",
        [(32, 512, 14, 14)],
        {"kernel": (14, 14), "global_pool": True, "pool_type": "avg"},
    ),
    "Embedding (10000,200) of (35,20)": embedding(10000, 200, (35, 20)),
    "Embedding (30000,768) of (32,128)": embedding(30000, 768, (32, 128)),
    "FullyConnected (128,1024) to 1024": fully_connected(128, 1024, 1024),
    "FullyConnected (32,2048) to 1000": fully_connected(32, 2048, 1000),
    "Dropout (1024,1024)": ("Dropout", [(1024, 1024)], {"p": 0.5}),
    "Dropout (32,128,768)": ("Dropout", [(32, 128, 768)], {"p": 0.1}),
    "LeakyReLU elu (32,64,56,56)": ("LeakyReLU", [(32, 64, 56, 56)], {"act_type": "elu", "slope": 1.0}),
    "LeakyReLU gelu (32,128,768)": ("LeakyReLU", [(32, 128, 768)], {"act_type": "gelu"}),
    "log_softmax (4096,1000)": ("log_softmax", [(4096, 1000)], {}),
    "log_softmax (128,30000)": ("log_softmax", [(128, 30000)], {}),
    "softmax (4096,1000)": ("softmax", [(4096, 1000)], {}),
    "softmax (32,16,128,128)": ("softmax", [(32, 16, 128, 128)], {}),
}


def rows(wanted):
    """(name, "forward" or "both") of the rows whose label holds one of the words."""
    found = [(name, what) for name in LAYERS for what in ("forward", "both")]
    return [row for row in found if not wanted or any(part in " ".join(row) for part in wanted)]


def draw(name):
    op, shapes, attrs = LAYERS[name]
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes]
    if op == "Embedding":
        drawn[0] = rng.integers(0, attrs["input_dim"], shapes[0]).astype(np.float32)
    return drawn


def mxnet_calls(mx, name):
    """(forward, forward and backward) of a row, for mxcy and for MXNet."""
    op, _, attrs = LAYERS[name]
    inputs = [mx.nd.array(x) for x in draw(name)]
    for x in inputs[op == "Embedding" : 3]:
        x.attach_grad()
    function = getattr(mx.nd, op)
    with mx.autograd.record():
        head = mx.nd.ones_like(function(*inputs, **attrs))

    def forward():
        with mx.autograd.train_mode():
            function(*inputs, **attrs).wait_to_read()

    def both():
        with mx.autograd.record():
            y = function(*inputs, **attrs)
        y.backward(head)
        mx.nd.waitall()

    return forward, both


def torch_function(name):
    import torch.nn.functional as f

    op, shapes, a = LAYERS[name]
    if op == "RNN":
        import torch

        made = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[a["mode"]]
        network = made(shapes[0][2], a["state_size"], a["num_layers"])
        return lambda x, *rest: network(x)[0]
    if op == "Pooling" and a.get("global_pool"):
        return lambda x: f.adaptive_avg_pool2d(x, 1)
    if op == "Pooling":
        pool = f.max_pool2d if a.get("pool_type", "max") == "max" else f.avg_pool2d
        return lambda x: pool(x, a["kernel"], a.get("stride", 1), a.get("pad", 0))
    return {
        "BatchNorm": lambda x, w, b, m, v: f.batch_norm(x, m, v, w, b, training=True),
        "LayerNorm": lambda x, w, b: f.layer_norm(x, x.shape[-1:], w, b),
        "GroupNorm": lambda x, w, b: f.group_norm(
            x, a["num_groups"], w.repeat_interleave(x.shape[1] // len(w)),
            b.repeat_interleave(x.shape[1] // len(b))),
        "InstanceNorm": lambda x, w, b: f.instance_norm(x, weight=w, bias=b),
        "LRN": lambda x: f.local_response_norm(x, 5, 1e-4, 0.75, 2.0),
        "L2Normalization": lambda x: f.normalize(x, dim=1),
        "softmax": lambda x: f.softmax(x, -1),
        "log_softmax": lambda x: f.log_softmax(x, -1),
        "Embedding": f.embedding,
        "FullyConnected": f.linear,
        "Dropout": lambda x: f.dropout(x, a["p"]),
        "LeakyReLU": f.gelu if a.get("act_type") == "gelu" else lambda x: f.elu(x, a["slope"]),
    }[op]  # fmt: skip


def torch_calls(name):
    import torch

    op = LAYERS[name][0]
    inputs = [torch.from_numpy(x) for x in draw(name)]
    if op == "Embedding":
        inputs[0] = inputs[0].long()
    learned = inputs[op == "Embedding" : 3]
    for x in learned:
        x.requires_grad_()
    function = torch_function(name)
    head = torch.ones_like(function(*inputs))

    def forward():
        with torch.no_grad():
            function(*inputs)

    def both():
        for x in learned:
            x.grad = None
        function(*inputs).backward(head)

    return forward, both


def peer(kind):
    """Serve rows, each made when it is first asked for."""

    class Calls(dict):
        def __missing__(self, key):
            name, _, what = key.rpartition("|")
            if kind == "torch":
                import torch

                torch.set_num_threads(2)
                made = torch_calls(name)
            else:
                import mxnet

                made = mxnet_calls(mxnet, name)
            self.update({f"{name}|forward": (made[0], 1), f"{name}|both": (made[1], 1)})
            return self[f"{name}|{what}"]

    serve(Calls())


def main():
    wanted = [word for word in sys.argv[1:] if not word.startswith("-") and not word.endswith(".json")]
    sys.argv[1:] = [word for word in sys.argv[1:] if word not in wanted or word in ("torch", "mxnet")]
    options = arguments(__doc__)
    if options.peer:
        peer(options.peer)
        return
    import mxcy as mx

    peers = {kind: Peer(kind, __file__) for kind in ("mxnet", "torch")}
    table = Table("layers")
    for name, what in rows(wanted):
        calls = dict(zip(("forward", "both"), mxnet_calls(mx, name), strict=True))
        contenders = {"mxcy": calls[what]}
        contenders |= {kind: found.timer(f"{name}|{what}") for kind, found in peers.items()}
        table.row(f"{name} {what}", contenders, rounds=9)
    for found in peers.values():
        found.close()
    finish(options, table)


if __name__ == "__main__":
    main()
