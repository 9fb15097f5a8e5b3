"""`mx.contrib`: the first autograd, loaders of Gluon for modules, text, TensorBoard, SVRG."""

import struct
from collections import Counter

import numpy as np
import pytest

import mxcy as mx
from mxcy import gluon, nd
from mxcy.contrib import autograd, tensorboard, text


def test_gradients_by_some_arguments():
    def product(x, y):
        assert mx.autograd.is_recording() and mx.autograd.is_training()
        with autograd.test_section():
            assert not mx.autograd.is_recording()
        return x * y

    x, y = nd.array([2.0, 3.0]), nd.array([5.0, 7.0])
    grads, loss = autograd.grad_and_loss(product)(x, y)

    assert [g.asnumpy().tolist() for g in grads] == [[5, 7], [2, 3]]
    assert loss.asnumpy().tolist() == [10, 21]
    assert [g.asnumpy().tolist() for g in autograd.grad(product, 1)(x, y)] == [[2, 3]]
    assert [g.asnumpy().tolist() for g in autograd.grad(product, [0])(x, y)] == [[5, 7]]
    assert not mx.autograd.is_recording()


def test_sections_and_mistakes():
    x = nd.array([2.0])
    x.attach_grad()
    with autograd.train_section():
        y = x * x
    autograd.compute_gradient([y])

    assert x.grad.asscalar() == 4
    with pytest.raises(AssertionError, match="list of NDArrays"):
        autograd.backward(y)
    with pytest.raises(AssertionError, match="expected NDArrays, got int"):
        autograd.grad(lambda x: x)(3)


def test_a_loader_feeds_a_module():
    data, label = np.arange(10, dtype="float32").reshape(5, 2), np.array([0, 1, 0, 1, 0], "float32")
    loader = gluon.data.DataLoader(gluon.data.ArrayDataset(data, label), 2)
    batches = mx.contrib.io.DataLoaderIter(loader)
    for _ in range(2):
        seen = [(b.data[0].asnumpy().tolist(), b.label[0].asnumpy().tolist(), b.pad) for b in batches]
        assert seen == [
            ([[0, 1], [2, 3]], [0, 1], 0),
            ([[4, 5], [6, 7]], [0, 1], 0),
            ([[8, 9], [0, 0]], [0, 0], 1),
        ]
        batches.reset()
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2), name="softmax")
    module = mx.mod.Module(net)
    module.fit(batches, num_epoch=1)

    assert module.predict(batches).shape == (5, 2)


# --- text ------------------------------------------------------------------------------------------------
def test_words_are_counted():
    count = mx.contrib.text.utils.count_tokens_from_str
    counter = count("Life is great ! \n life is good . \n", to_lower=True)

    assert counter == {"life": 2, "is": 2, "great": 1, "!": 1, "good": 1, ".": 1}
    assert count("*is*so*", r"\*", counter_to_update=counter) is counter
    assert counter["is"] == 3 and counter["so"] == 1


def test_a_vocabulary_is_in_the_order_of_frequency():
    counter = Counter({"c": 3, "b": 3, "a": 1, "<unk>": 9, "<pad>": 9})
    words = text.Vocabulary(counter, min_freq=1, reserved_tokens=["<pad>"])

    assert words.idx_to_token == ["<unk>", "<pad>", "b", "c", "a"]
    assert len(words) == 5 and words.unknown_token == "<unk>" and words.reserved_tokens == ["<pad>"]
    assert words.to_indices(["a", "z", "<pad>"]) == [4, 0, 1] and words.to_indices("c") == 3
    assert words.to_tokens([0, 2]) == ["<unk>", "b"] and words.to_tokens(4) == "a"
    assert text.Vocabulary(counter, most_freq_count=1).idx_to_token == ["<unk>", "<pad>"]
    assert text.Vocabulary(counter, min_freq=3).idx_to_token == ["<unk>", "<pad>", "b", "c"]


@pytest.mark.parametrize("arguments, match", [
    ({"min_freq": 0}, "positive number"),
    ({"reserved_tokens": ["a", "a"]}, "a token twice"),
    ({"reserved_tokens": ["<unk>"]}, "unknown token"),
    ({"counter": {"a": 1}}, "expected a collections.Counter"),
])  # fmt: skip
def test_mistakes_in_vocabularies(arguments, match):
    with pytest.raises(AssertionError, match=match):
        text.Vocabulary(**arguments)


def test_unknown_numbers_of_words():
    for number in (3, -2, "a"):
        with pytest.raises(ValueError, match="expected numbers below 1"):
            text.Vocabulary().to_tokens(number)


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("a 0.1 0.2\nb 1 2\nb 3 4\n")
    with pytest.warns(UserWarning, match="At line 3 .* token b has been loaded"):
        return text.CustomEmbedding(str(path), init_unknown_vec=nd.ones)


def test_vectors_from_a_file(vectors):
    assert vectors.vec_len == 2 and vectors.idx_to_token == ["<unk>", "a", "b"]
    np.testing.assert_allclose(vectors.idx_to_vec.asnumpy(), [[1, 1], [0.1, 0.2], [1, 2]])
    np.testing.assert_allclose(vectors.get_vecs_by_tokens(["B", "b"]).asnumpy(), [[1, 1], [1, 2]])
    np.testing.assert_allclose(vectors.get_vecs_by_tokens("B", lower_case_backup=True).asnumpy(), [1, 2])
    vectors.update_token_vectors(["a", "<unk>"], nd.array([[5, 6], [7, 8]]))
    vectors.update_token_vectors("b", nd.array([9, 9]))
    assert vectors.idx_to_vec.asnumpy().tolist() == [[7, 8], [5, 6], [9, 9]]
    with pytest.raises(ValueError, match="unknown: z"):
        vectors.update_token_vectors("z", nd.array([9, 9]))
    with pytest.raises(AssertionError, match=r"expected an NDArray of shape \(2, 2\), got \(2,\)"):
        vectors.update_token_vectors(["a", "b"], nd.array([9, 9]))


def test_vectors_of_a_vocabulary_and_of_several_files(vectors):
    words = text.Vocabulary(Counter(["b", "q"]), reserved_tokens=["<pad>"])
    both = text.CompositeEmbedding(words, [vectors, vectors])

    assert both.to_tokens([0, 1, 2, 3]) == ["<unk>", "<pad>", "b", "q"]
    np.testing.assert_allclose(both.idx_to_vec.asnumpy(), [[1] * 4, [1] * 4, [1, 2, 1, 2], [1] * 4])
    with pytest.raises(AssertionError, match="expected an embedding or a list of them"):
        text.CompositeEmbedding(words, [words])
    with pytest.raises(AssertionError, match="expected a text.vocab.Vocabulary, got dict"):
        text.CompositeEmbedding({}, vectors)


@pytest.mark.parametrize("content, match", [
    ("a\n", "line 1 is not a word and numbers"),
    ("a 1 x\n", "line 1 is not a word and numbers"),
    ("a 1 2\nb 1 2 3\n", "line 2 has a vector of 3 numbers, those before of 2"),
    ("", "no vectors in the file"),
])  # fmt: skip
def test_files_of_vectors_that_are_none(tmp_path, content, match):
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    with pytest.raises(AssertionError, match=match):
        text.CustomEmbedding(str(path))


def test_files_with_known_names_are_found_in_a_folder(tmp_path):
    names = text.embedding.get_pretrained_file_names()
    assert "glove.6B.50d.txt" in names["glove"] and "wiki.simple.vec" in names["fasttext"]
    (tmp_path / "fasttext").mkdir()
    (tmp_path / "fasttext" / "wiki.simple.vec").write_text("2 3\na 1 2 3\n<unk> 4 5 6\n")
    with pytest.warns(UserWarning, match="likely a header"):
        found = text.embedding.create("FastText", embedding_root=str(tmp_path))

    assert found.idx_to_vec.asnumpy().tolist() == [[4, 5, 6], [1, 2, 3]]
    with pytest.raises(mx.MXNetError, match="nothing is downloaded"):
        text.embedding.create("glove", embedding_root=str(tmp_path))
    with pytest.raises(KeyError, match="expected a file of glove"):
        text.embedding.create("glove", pretrained_file_name="unknown.txt")
    with pytest.raises(KeyError, match="expected one of glove, fasttext"):
        text.embedding.get_pretrained_file_names("unknown")
    with pytest.raises(ValueError, match="a path of a file"):
        text.CustomEmbedding(str(tmp_path / "nothing"))


def test_programs_derive_embeddings_with_files_of_their_own(tmp_path):
    @text.embedding.register
    class Mine(text.embedding._TokenEmbedding):
        pretrained_file_name_sha1 = {"mine.vec": "0"}

        def __init__(self, embedding_root, name="mine.vec", **kwargs):
            Mine._check_pretrained_file_names(name)
            super().__init__(**kwargs)
            self._load_embedding(Mine._get_pretrained_file(embedding_root, name), " ", nd.zeros)

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.vec").write_text("hello 1 2\nworld 3 4\n")
    found = text.embedding.create("mine", embedding_root=str(tmp_path))

    assert found.token_to_idx == {"<unk>": 0, "hello": 1, "world": 2}
    assert found.idx_to_vec.asnumpy().tolist() == [[0, 0], [1, 2], [3, 4]]
    assert text.embedding.get_pretrained_file_names("mine") == ["mine.vec"]
    with pytest.raises(KeyError, match="expected a file of mine, such as mine.vec"):
        text.embedding.create("mine", embedding_root=str(tmp_path), name="other.vec")


def test_texts_for_language_models(tmp_path):
    (tmp_path / "wiki.train.tokens").write_text(" \n = Title = \n \n the cat sat \n the dog \n")
    (tmp_path / "wiki.test.tokens").write_text(" the bird \n")
    train = gluon.contrib.data.text.WikiText2(str(tmp_path), seq_len=4)
    test = gluon.contrib.data.text.WikiText2(str(tmp_path), "test", train.vocabulary, seq_len=2)

    words = [[train.vocabulary.to_tokens(part.asnumpy().tolist()) for part in sample] for sample in train]
    assert words == [
        [["=", "Title", "=", "<eos>"], ["Title", "=", "<eos>", "the"]],
        [["the", "cat", "sat", "<eos>"], ["cat", "sat", "<eos>", "the"]],
    ]
    assert train.frequencies["the"] == 2 and len(test) == 1
    assert test[0][1].asnumpy().tolist() == train.vocabulary.to_indices(["<unk>", "<eos>"])
    with pytest.raises(mx.MXNetError, match="nothing is downloaded: unpack wikitext-103"):
        gluon.contrib.data.text.WikiText103(str(tmp_path), "validation")
    with pytest.raises(ValueError, match="expected one of train, validation, test"):
        gluon.contrib.data.text.WikiText2(str(tmp_path), "valid")


def test_a_sampler_with_intervals():
    sampler = gluon.contrib.data.IntervalSampler

    assert list(sampler(13, 3)) == [0, 3, 6, 9, 12, 1, 4, 7, 10, 2, 5, 8, 11]
    assert list(sampler(13, 3, rollover=False)) == [0, 3, 6, 9, 12] and len(sampler(13, 3)) == 13
    with pytest.raises(AssertionError, match="at most the length 2"):
        sampler(2, 3)


# --- TensorBoard -----------------------------------------------------------------------------------------
def records(path):
    """The records of a TFRecord file, whose checksums must be right."""
    content, found = path.read_bytes(), []
    while content:
        size, check = struct.unpack_from("<QI", content)
        assert check == tensorboard.masked_crc(content[:8])
        found.append(content[12 : 12 + size])
        assert struct.unpack_from("<I", content, 12 + size)[0] == tensorboard.masked_crc(found[-1])
        content = content[16 + size :]
    return found


def test_metrics_are_written_for_tensorboard(tmp_path):
    assert tensorboard.masked_crc(b"123456789") == 0xC78AB0E5  # CRC-32C 0xE3069283
    metric = mx.metric.Accuracy()
    metric.update([nd.array([1, 0, 1, 1])], [nd.array([[0, 1], [1, 0], [0, 1], [1, 0]])])
    log = tensorboard.LogMetricsCallback(str(tmp_path / "logs"), prefix="train")
    log(mx.model.BatchEndParam(epoch=300, nbatch=5, eval_metric=metric, locals=None))
    log(mx.model.BatchEndParam(epoch=301, nbatch=5, eval_metric=None, locals=None))
    (path,) = (tmp_path / "logs").iterdir()
    first, second = records(path)

    assert path.name.startswith("events.out.tfevents.") and first[9:] == b"\x1a\rbrain.Event:2"
    value = struct.pack("<f", 0.75)
    assert second[9:] == b"\x10\xac\x02\x2a\x17\x0a\x15\x0a\x0etrain-accuracy\x15" + value
    log.summary_writer.close()


# --- SVRG ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("devices", [1, 2])
def test_gradients_with_less_variance(devices):
    rs = np.random.RandomState(0)
    x = rs.rand(23, 3).astype("f")
    y = (x @ np.array([1, 2, -1], "f")).astype("f")
    batches = mx.io.NDArrayIter(x, y, batch_size=8, label_name="label")
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=1, name="fc")
    net = mx.sym.LinearRegressionOutput(net, mx.sym.Variable("label"))
    module = mx.contrib.svrg_optimization.SVRGModule(
        net, label_names=["label"], context=[mx.cpu(i) for i in range(devices)], update_freq=2
    )
    module.fit(batches, eval_metric="mse", initializer=mx.init.One(), num_epoch=2,
               optimizer_params={"learning_rate": 0.05})  # fmt: skip
    found, _ = module.get_params()

    # by the real MXNet 1.9.1 on one device
    weight = [[0.91835624, 0.96301556, 0.86384207]]
    np.testing.assert_allclose(found["fc_weight"].asnumpy(), weight, rtol=1e-5)
    np.testing.assert_allclose(found["fc_bias"].asnumpy(), [-0.15782464], rtol=1e-5)


def test_svrg_updates_by_its_own_optimizer():
    from mxcy.contrib.svrg_optimization.svrg_optimizer import _SVRGOptimizer

    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2)
    for optimizer in ("adam", mx.optimizer.Adam(rescale_grad=0.25)):
        module = mx.contrib.svrg_optimization.SVRGModule(net, label_names=None, update_freq=1)
        module.bind([("data", (4, 3))])
        module.init_params()
        module.init_optimizer("local", optimizer)

        assert type(module._optimizer) is _SVRGOptimizer
        assert type(module._optimizer.default_opt) is mx.optimizer.Adam
        assert module._optimizer.rescale_grad == module._optimizer.default_opt.rescale_grad == 0.25


def test_a_store_of_svrg_keeps_mean_gradients_as_they_are():
    names = {0: "w", 1: "w_full"}
    store = mx.kv.create("local")
    sgd = {"default_optimizer": "sgd", "learning_rate": 0.5}
    optimizer = mx.optimizer.create("_SVRGOptimizer", param_idx2name=names, **sgd)
    store.set_optimizer(optimizer)
    for key, expected in ((0, [0, 0]), (1, [2, 2])):
        out = nd.zeros(2)
        store.init(key, nd.ones(2))
        store.push(key, nd.ones(2) * 2)
        store.pull(key, out=out)

        np.testing.assert_array_equal(out.asnumpy(), expected)


def test_svrg_needs_a_frequency():
    net = mx.sym.LinearRegressionOutput(mx.sym.Variable("data"), mx.sym.Variable("softmax_label"))
    for value, kind in ((None, TypeError), (0, ValueError), (True, TypeError)):
        with pytest.raises(kind, match="update_freq"):
            mx.contrib.svrg_optimization.SVRGModule(net, update_freq=value)
