"""Symbols and how they are converted to mixed precision, under the real MXNet and under mxcy."""

import json


def cases(mx):
    """Yield (name, symbol, keywords of convert_symbol)."""
    data, other = mx.sym.Variable("data"), mx.sym.Variable("e")
    typed = mx.sym.Variable("w", dtype="float32")

    def dense(x, name):
        return mx.sym.FullyConnected(x, num_hidden=3, name=name)

    def relu(x, name):
        return mx.sym.Activation(x, act_type="relu", name=name)

    low, low_too = dense(data, "a"), dense(other, "b")
    plus = {"name": "plus"}
    yield "two_low", mx.sym.elemwise_add(low, low_too, **plus), {}
    yield "through_relu", mx.sym.elemwise_add(low, relu(low_too, "r"), **plus), {}
    yield "variable_and_low", mx.sym.elemwise_add(data, low_too, **plus), {}
    yield "low_and_single", mx.sym.elemwise_add(low, mx.sym.exp(other, name="x"), **plus), {}
    yield "relu_and_variable", mx.sym.elemwise_add(relu(low, "q"), typed, **plus), {}
    excluded = mx.sym.elemwise_add(relu(low, "q"), low_too, **plus)
    yield "excluded", excluded, {"excluded_sym_names": ["b"]}
    kinds = [mx.sym.LeakyReLU(x, act_type=kind, name=kind) for x, kind in ((low, "elu"), (low_too, "leaky"))]
    yield "conditional", mx.sym.elemwise_add(*kinds, **plus), {}
    lists = {"target_dtype_ops": ["exp"], "fp32_ops": ["FullyConnected"], "conditional_fp32_ops": []}
    yield "other_lists", relu(mx.sym.exp(low, name="x"), "q"), lists
    yield "parameters", low, {"data_names": ["data"]}
    yield "parameters_cast", low, {"data_names": ["data"], "cast_optional_params": True}
    norm = mx.sym.BatchNorm(low, name="bn")
    yield "parameters_of_norm", norm, {"data_names": ["data"], "cast_optional_params": True}
    yield "bfloat16", mx.sym.elemwise_add(relu(low, "q"), low_too, **plus), {"target_dtype": "bfloat16"}
    net = mx.sym.Convolution(data, kernel=(3, 3), num_filter=4, name="c0")
    net = mx.sym.BatchNorm(net, name="bn")
    net = mx.sym.elemwise_add(
        relu(net, "r"), mx.sym.Activation(net, act_type="softrelu", name="s"), name="sum"
    )
    net = mx.sym.Pooling(net, kernel=(2, 2), pool_type="max", name="p")
    net = mx.sym.SoftmaxOutput(dense(dense(net, "f1"), "f2"), name="softmax")
    yield "network", net, {}


def converted(mx, amp):
    """Return {case: [[operator, name, dtype, inputs], ...]}."""
    found = {}
    for name, symbol, keywords in cases(mx):
        text = amp.convert_symbol(symbol, **keywords).tojson(remove_amp_cast=False)
        found[name] = [
            [
                node["op"],
                node["name"],
                node.get("attrs", {}).get("dtype") or node.get("attrs", {}).get("__dtype__"),
                [entry[:2] for entry in node["inputs"]],
            ]
            for node in json.loads(text)["nodes"]
        ]
    return found
