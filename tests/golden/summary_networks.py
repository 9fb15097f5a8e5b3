"""Networks whose tables MXNet printed for the golden file, and mxcy prints in tests."""


def summaries(mx):
    sym = mx.sym
    data = sym.Variable("data")
    net = sym.FullyConnected(data, num_hidden=8, name="fc1")
    net = sym.Activation(net, act_type="relu", name="r")
    net = sym.FullyConnected(net, num_hidden=3, no_bias=True, name="fc2")
    net = sym.SoftmaxOutput(net, name="softmax")

    def convolution(filters, name, **attrs):
        return sym.Convolution(data, num_filter=filters, kernel=(3, 3), pad=(1, 1), name=name, **attrs)

    joined = sym.Concat(sym.Flatten(convolution(4, "c1"), name="f1"),
                        sym.Flatten(convolution(6, "c2", no_bias=True), name="f2"), name="cat")
    mx.viz.print_summary(net)
    mx.viz.print_summary(net, shape={"data": (4, 6)})
    mx.viz.print_summary(net, {"data": (4, 6)}, 80, [.3, .5, .8, 1.])
    mx.viz.print_summary(sym.Embedding(data, input_dim=7, output_dim=5, name="emb"), {"data": (4, 6)})
    mx.viz.print_summary(data)
    mx.viz.print_summary(joined, {"data": (2, 3, 8, 8)})
    mx.viz.print_summary(sym.Group([net, data * 2]), {"data": (4, 6), "softmax_label": (4,)})
