"""Symbols as JSON: the text of MXNet, hostile files, round trips, pickles, deep graphs."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from symbol_graphs import graphs, mlp

import mxcy as mx
from mxcy.errors import FormatError

GOLDEN = Path(__file__).parent / "golden"
sym = mx.sym


@pytest.fixture(autouse=True)
def fresh_names():
    with mx.name.NameManager():
        yield


# --- files ---------------------------------------------------------------------------------------------


def test_json_is_the_text_that_mxnet_writes():
    net = mlp()

    assert net.tojson() == (GOLDEN / "mlp-symbol.json").read_text()


def test_special_characters_and_long_lists_survive():
    name = 'a"\\\n\té 中\x01b'
    long = sym.Group([sym.Concat(*[sym.Variable(name)] * 12), *[sym.Variable(f"v{i}") for i in range(12)]])
    back = sym.load_json(long.tojson())

    assert back.list_arguments()[0] == name
    assert back.tojson() == long.tojson()


def test_save_and_load(tmp_path):
    path = str(tmp_path / "net-symbol.json")
    mlp().save(path)

    assert sym.load(path).tojson() == mlp().tojson()
    with pytest.raises(OSError):
        sym.load(str(tmp_path / "nothing.json"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe{")
    with pytest.raises(FormatError, match="expected JSON in UTF-8"):
        sym.load(str(tmp_path / "bytes"))


def document(**changes):
    nodes = [
        {"op": "null", "name": "x", "inputs": []},
        {"op": "FullyConnected", "name": "f", "attrs": {"num_hidden": "2", "no_bias": "True"},
         "inputs": [[0, 0, 0], [0, 0, 0]]},
    ]  # fmt: skip
    whole = {"nodes": nodes, "arg_nodes": [0], "node_row_ptr": [0, 1, 2], "heads": [[1, 0, 0]]}
    nodes[1].update(changes.pop("node", {}))
    return json.dumps(whole | changes)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("xx", "load_json: expected JSON, got text that is not"),
        ("{}", "expected an object with nodes, arg_nodes and heads"),
        ("[" * 100_000, "nested too deeply"),
        (document(heads=[]), "load_json(heads): expected at least one"),
        (document(heads=[[2, 0, 0]]), "load_json(heads[0]): expected an integer from 0 to 1, got 2"),
        (document(heads=[[1, 1, 0]]), "load_json(heads[0]): expected an integer from 0 to 0, got 1"),
        (document(heads=[[-1, 0, 0]]), "got -1"),
        (document(heads=[[True, 0, 0]]), "got True"),
        (document(heads=[[1.0, 0, 0]]), "got 1.0"),
        (document(heads=[3]), "expected [node, output, version], got 3"),
        (document(heads={}), "load_json(heads): expected a list"),
        (document(nodes={}), "load_json(nodes): expected a list"),
        (document(nodes=[3]), "load_json(nodes[0]): expected an object, got 3"),
        (document(arg_nodes=[1]), "load_json(arg_nodes[0]): expected the number of a variable"),
        (document(arg_nodes=[7]), "load_json(arg_nodes[0]): expected an integer from 0 to 1, got 7"),
        (
            document(node={"inputs": [[1, 0, 0], [0, 0, 0]]}),
            "(nodes[1].inputs[0]): expected an integer from 0 to 0",
        ),
        (
            document(node={"inputs": [[0, 0, 0]]}),
            "expected 2 inputs of FullyConnected 'f' (data, weight), got 1",
        ),
        (document(node={"inputs": [[0, 0, 0]] * 4}), "(data, weight), got 4"),
        (document(node={"op": "FulyConnected"}), "did you mean FullyConnected"),
        (document(node={"op": 3}), "load_json(nodes[1].op): expected a string, got 3"),
        (document(node={"name": None}), "load_json(nodes[1].name): expected a string, got None"),
        (document(node={"op": "null"}), "expected none, as 'f' is a variable"),
        (
            document(node={"attrs": {"num_hidden": "two"}}),
            "in node 'f': FullyConnected(num_hidden): expected",
        ),
        (document(node={"attrs": {"num_hidden": "9" * 5000}}), "in node 'f'"),
        (
            document(node={"attrs": {"num_hidden": 3}}),
            "(nodes[1].attrs.num_hidden): expected a string, got 3",
        ),
        (document(node={"attrs": {"num_hiden": "3"}}), "in node 'f'"),
        (document(node={"attrs": {"num_hidden": "__import__('os')"}}), "in node 'f'"),
        (document(node={"subgraphs": [{}]}), "subgraphs[0]): expected an object with nodes"),
        ('{"nodes": NaN, "arg_nodes": [], "heads": []}', "NaN is no JSON"),
        ('{"nodes": [], "arg_nodes": [], "heads": [[0, 0, 0]]}', "expected nothing to name yet, got 0"),
        ('{"nodes": ' + "9" * 5000 + ', "arg_nodes": [], "heads": []}', "expected JSON"),
    ],
)
def test_hostile_json_is_refused(text, match):
    with pytest.raises(FormatError) as raised:
        sym.load_json(text)

    assert match in str(raised.value)


@given(st.recursive(st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["null", "exp", "x"]),
                    lambda inner: st.lists(inner, max_size=3), max_leaves=8), st.data())  # fmt: skip
def test_any_change_to_a_file_gives_a_graph_or_a_format_error(value, data):
    whole = json.loads(document())
    place = whole
    for _ in range(data.draw(st.integers(0, 4))):
        if not isinstance(place, (dict, list)) or not place:
            break
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or data.draw(st.booleans()):
            place[key] = value
            break
        place = place[key]
    try:
        loaded = sym.load_json(json.dumps(whole))
    except FormatError:
        return

    assert sym.load_json(loaded.tojson()).tojson() == loaded.tojson()


def test_files_of_older_versions_load():
    old = {
        "nodes": [
            {"op": "null", "param": {}, "name": "x", "inputs": [], "backward_source_id": -1,
             "attr": {"lr_mult": "2"}},
            {"op": "Activation", "param": {"act_type": "relu"}, "name": "a", "inputs": [[0, 0]],
             "backward_source_id": -1, "attr": {"ctx_group": "g"}},
        ],
        "arg_nodes": [0],
        "heads": [[1, 0]],
    }  # fmt: skip
    net = sym.load_json(json.dumps(old))

    assert net.list_arguments() == ["x"]
    assert net.attr("act_type") == "relu"
    assert net.attr("ctx_group") == "g"
    assert net.attr_dict()["x"] == {"__lr_mult__": "2", "lr_mult": "2"}


def test_labels_of_inputs_in_files_of_older_versions_go_to_the_inputs():
    variables = [{"op": "null", "param": {}, "name": name, "inputs": []} for name in "xwb"]
    layer = {"op": "FullyConnected", "param": {"num_hidden": "3"}, "name": "f"}
    layer |= {"inputs": [[0, 0], [1, 0], [2, 0]], "attr": {"weight_lr_mult": "1.2", "wd_mult": "0.3"}}
    net = sym.load_json(json.dumps({"nodes": [*variables, layer], "arg_nodes": [0, 1, 2], "heads": [[3, 0]]}))

    assert net.attr_dict()["w"] == {"__lr_mult__": "1.2", "lr_mult": "1.2"}
    assert net.attr("wd_mult") == "0.3"
    assert "b" not in net.attr_dict()


@given(graphs())
def test_json_round_trip_keeps_everything(net):
    back = sym.load_json(net.tojson())

    assert back.tojson() == net.tojson()
    assert back.list_arguments() == net.list_arguments()
    assert back.list_outputs() == net.list_outputs()
    assert back.attr_dict() == net.attr_dict()
    shapes = dict.fromkeys(net.list_arguments(), (2, 4))
    assert back.infer_shape(**shapes) == net.infer_shape(**shapes)
    assert back.debug_str() == net.debug_str()


def test_debug_str_lists_nodes():
    text = (sym.Variable("x") * 2).debug_str()

    assert text == (
        "Symbol Outputs:\n\toutput[0]=_mulscalar0(0)\nVariable:x\n--------------------\n"
        "Op:_mul_scalar, Name=_mulscalar0\nInputs:\n\targ[0]=x(0) version=0\nAttrs:\n\tscalar=2\n"
    )


def test_deep_graphs_need_no_recursion():
    net = sym.Variable("x")
    for _ in range(100_000):
        net = net + 1
    text = net.tojson()
    back = sym.load_json(text)

    assert back.infer_shape(x=(2,)) == ([(2,)], [(2,)], [])
    assert len(back.get_internals()) == 100_001
    assert copy.deepcopy(net).list_arguments() == ["x"]
    assert back(x=sym.Variable("y")).list_arguments() == ["y"]


def test_json_text_is_that_of_mxnet():
    texts = json.loads((GOLDEN / "sym_json.json").read_text())
    x, y = sym.Variable("x"), sym.Variable("y")
    with mx.AttrScope(ctx_group="dev1", __lr_mult__="3"):
        scoped = sym.FullyConnected(sym.Variable("d"), num_hidden=3, name="f")
    labelled = sym.Variable("w", shape=(2, 3), lr_mult=2.0, wd_mult=0.5, dtype="float32", init='["one", {}]',
                            attr={"foo": "bar"})  # fmt: skip
    deep = x
    for i in range(12):
        deep = sym.FullyConnected(deep, num_hidden=i + 1, no_bias=bool(i % 2))

    assert (x * 2 + y).tojson() == texts["arith"]
    assert sym.Group([sym.exp(x), sym.split(y, num_outputs=3)]).tojson() == texts["group"]
    assert labelled.tojson() == texts["variable"]
    assert scoped.tojson() == texts["attr_scope"]
    assert deep.tojson() == texts["deep"]
    assert mlp().tojson() == texts["mlp"]


@pytest.mark.parametrize("name", ["group", "variable", "attr_scope", "deep", "mlp"])
def test_json_of_mxnet_loads_and_stays_the_same(name):
    text = json.loads((GOLDEN / "sym_json.json").read_text())[name]

    assert sym.load_json(text).tojson() == text


def with_version(version, *nodes):
    document = {"nodes": list(nodes), "arg_nodes": [0], "heads": [[len(nodes) - 1, 0, 0]]}
    return json.dumps(document if version is None else {**document, "attrs": {"mxnet_version": version}})


def test_files_of_old_versions_mean_what_they_meant():
    x = {"op": "null", "name": "x", "inputs": []}
    largest = {"op": "argmax", "name": "a", "inputs": [[0, 0]], "attr": {"axis": "-1"}}
    for version, axis in ((None, None), (["int", 904], None), (["int", 905], "-1"), (["int", 10901], "-1")):
        net = sym.load_json(with_version(version, x, largest))
        assert net.attr("axis") == axis
    whole = sym.load_json(with_version(None, x, largest)).eval(x=mx.nd.array([[1, 5], [2, 3]]))[0]
    assert whole.asnumpy().tolist() == [1]
    extra = {"op": "exp", "name": "e", "inputs": [[0, 0]], "attr": {"unread": "1"}}
    assert sym.load_json(with_version(["int", 10000], x, extra)).attr("unread") == "1"
    for wrong in (3, ["int"], ["int", "9"], None):
        with pytest.raises(FormatError, match="mxnet_version"):
            sym.load_json(with_version(wrong or [None, None], x))


@pytest.mark.parametrize(
    "shape, label", [("(0,)", "[-1]"), ("(2, 0, 5)", "[2,-1,5]"), ("(-1, 3)", "[-1,3]"), ("()", "None")]
)
def test_extents_that_a_file_does_not_know_stay_unknown_with_shapes_of_numpy(shape, label):
    text = sym.Variable("w", attr={"__shape__": shape}).tojson()
    with mx.util.np_shape(True):
        read = sym.load_json(text)
        again = sym.load_json(read.tojson())

    # As MXNet 1.9.1 changes them.
    assert read.attr_dict() == again.attr_dict() == {"w": {"__shape__": label}}
    assert sym.load_json(text).attr_dict() == {"w": {"__shape__": shape}}


def test_files_say_that_shapes_are_those_of_numpy():
    net = sym.FullyConnected(sym.Variable("x"), sym.Variable("w", shape=(128, 0)), num_hidden=128)
    plain = net.tojson()
    with mx.util.np_shape(True):
        numpys = sym.Variable("x", shape=(0, 3)).tojson()
        assert sym.load_json(plain).infer_shape(x=(10, 784))[0][1] == (128, 784)
        assert sym.load_json(numpys).infer_shape()[0] == [(0, 3)]

    assert json.loads(plain)["attrs"] == {"mxnet_version": ["int", 10901]}
    told = """  "attrs": {
    "is_np_shape": ["int", 1], 
    "mxnet_version": ["int", 10901]
  }
}"""  # noqa: W291
    assert numpys.endswith(told)
