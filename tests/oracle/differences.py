"""Where rows of operators differ from the real MXNet on purpose, and where it has no data of them.

Read by `tests/test_ops_oracle.py`, and by `docs/make_coverage.py` for its table of names.
"""

GARBAGE = "MXNet reads or leaves memory that is not there"
INDEX = "MXNet reads beside the array for regions of image -1 or beyond the edges"
FLOWS = "MXNet drops the gradient through the mean and the deviation"
INTEGERS = "an error instead of MXNet's rounded steps"
HALF = "MXNet computes the steps in float16"
# Start of the key, what differs (a dtype, or nothing for all), and why; docs/coming-from-mxnet.md tells more.
DIFFERS = [
    ("BatchNorm()", "", "MXNet writes 1 into gamma"),
    ("BatchNorm(axis=-2)", "", "MXNet writes 1 into gamma"),
    ("BatchNorm_v1()", "", "MXNet writes 1 into gamma"),
    ("_contrib_BatchNormWithReLU()", "", "MXNet writes 1 into gamma"),
    ("_contrib_SyncBatchNorm(", "", "MXNet writes 1 into gamma, and zeros as the moving statistics it used"),
    ("Convolution(", "int8", INTEGERS),
    ("Deconvolution(kernel=(3, 3),num_filter=6,num_group=2", "", "MXNet's dilation with groups is wrong"),
    ("GroupNorm(num_groups=3,output_mean_var=True", "", FLOWS),
    ("LayerNorm(output_mean_var=True", "", FLOWS),
    ("IdentityAttachKLSparseReg()", "", "MXNet's backward pass moves the average first"),
    ("LeakyReLU(act_type=selu", "", "MXNet forgets the scale in the gradient of negative elements"),
    ("LeakyReLU(act_type=rrelu", "", GARBAGE),
    ("Pooling(", "float32", "oneDNN's gradients outside training are wrong"),
    ("RNN(mode=lstm,state_size=2,num_layers=1,use_sequence_length=True", "", "MXNet ignores lengths on CPUs"),
    ("RNN(mode=gru,state_size=2,num_layers=2,use_sequence_length=True", "", "MXNet ignores lengths on CPUs"),
    ("SequenceLast()", "", GARBAGE),
    ("_adamw_update(", "", "MXNet scales grad in place, and leaves the result as it was for a scale of 0"),
    ("_multi_adamw_update(", "float64", "MXNet takes rescale_grad for float32"),
    ("_multi_adamw_update(", "float16", "MXNet takes rescale_grad for float32"),
    ("_contrib_BilinearResize2D(", "float64", "MXNet computes positions in float32"),
    ("_image_resize(", "float64", "OpenCV computes weights in float32"),
    ("_image_resize(", "int64", GARBAGE),
    ("_image_resize(", "int8", GARBAGE),
    ("_contrib_DeformablePSROIPooling(", "", GARBAGE),
    ("_contrib_PSROIPooling(", "", GARBAGE),
    ("_contrib_RROIAlign(", "", GARBAGE),
    ("_contrib_ROIAlign(", "", INDEX),
    ("_contrib_SparseEmbedding(", "int", INTEGERS),
    ("_contrib_quantized_act(", "", "MXNet calls bytes of uint8 int8"),
    ("_contrib_quantized_conv(", "", "MXNet takes data of uint8 only, and adds the bias without its scale"),
    ("_contrib_div_sqrt_dim(", "int", INTEGERS),
    ("_contrib_hawkesll(", "int", INTEGERS),
    ("_contrib_allclose(", "", "one element instead of an array without dimensions"),
    ("_histogram(bin_cnt=4,range=(-1.0, 2.0))", "uint8", "MXNet casts edges below 0 first"),
    ("_image_flip_left_right(", "", "MXNet's gradient is not flipped"),
    ("_image_flip_top_bottom(", "", "MXNet's gradient is not flipped"),
    ("_ravel_multi_index(shape=(3, 4))", "float32", "places beyond the shape, in float32"),
    ("_unravel_index(shape=(-1, 4, 2))", "", "MXNet loses the second dimension of the positions"),
    ("ftml_update(", "float16", HALF),
    ("ftrl_update(", "float16", HALF),
    ("nag_mom_update(momentum=0.9", "", "of results beside the weight MXNet takes mom by the old weight"),
    ("norm()", "int", "MXNet sums squares of integers by a float's rule"),
]
ONLY_ELSEWHERE = {
    "_CrossDeviceCopy": "graphs of several devices only",
    "_contrib_count_sketch": "GPU only",
    "_contrib_edge_id": "csr arrays only; tests/golden/sparse.json",
    "_contrib_fft": "GPU only",
    "_contrib_getnnz": "csr arrays only; tests/golden/sparse.json",
    "_contrib_group_adagrad_update": "row-sparse arrays only; tests/golden/sparse_updates.json",
    "_contrib_ifft": "GPU only",
    "_contrib_quantized_elemwise_mul": "MXNet's inference of its shapes fails",
    "_sparse_adagrad_update": "row-sparse arrays only; tests/golden/sparse_updates.json",
    "_sparse_retain": "row-sparse arrays only; tests/golden/sparse.json",
    "_square_sum": "row-sparse arrays only; tests/golden/sparse.json",
    "_zeros_without_dtype": "inside MXNet only",
}
