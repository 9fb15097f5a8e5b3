"""Libraries that take arrays of any kind, on arrays of mxcy.numpy and on NumPy's: what differs, as JSON.

A script, because SciPy reads SCIPY_ARRAY_API when it is imported.
"""

import json
import os
import warnings

os.environ["SCIPY_ARRAY_API"] = "1"
warnings.simplefilter("error")

import array_api_compat  # noqa: E402
import array_api_extra as xpx  # noqa: E402
import einops.array_api  # noqa: E402
import numpy as onp  # noqa: E402
import opt_einsum  # noqa: E402
import sklearn  # noqa: E402
import xarray  # noqa: E402
from scipy import signal, special, stats  # noqa: E402
from sklearn import metrics  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler  # noqa: E402

import mxcy.numpy as np  # noqa: E402

rng = onp.random.default_rng(0)
X = rng.standard_normal((60, 5))
P = onp.abs(X) + 0.1
LABELS = (X[:, 0] + X[:, 1] > 0).astype("int64")
TARGET = X @ onp.arange(5.0) + 1
ROW, SHORT, SOS = X[:, 0].copy(), X[:5, 1].copy(), signal.butter(3, 0.2, output="sos")
FEEDBACK = onp.array([1.0, -0.5])


def fitted(estimator, *attributes):
    """Fit, then predict or transform; also these attributes."""

    def call(xp, x, *y):
        with sklearn.config_context(array_api_dispatch=True):
            model = estimator().fit(x, *y)
            last = model.predict(x) if hasattr(model, "predict") else model.transform(x)
        return [last, *(getattr(model, name) for name in attributes)]

    return call


def scaled(xp, x):
    # It divides nothing by nothing, and expects no warnings of namespaces that are not NumPy.
    with onp.errstate(invalid="ignore"):
        return fitted(StandardScaler, "mean_", "var_")(xp, x)


def dispatched(function, **options):
    def call(xp, *arrays):
        with sklearn.config_context(array_api_dispatch=True):
            return function(*arrays, **options)

    return call


def plain(function, **options):
    return lambda xp, *arrays: function(*arrays, **options)


def labelled(xp, x):
    table = xarray.DataArray(x, dims=("time", "place"), coords={"place": list("abcde")})
    results = [
        table.mean("time"), table.sel(place="a"), table + 1, table.isel(time=slice(2, 5)), table.std(),
        (table * table).sum("place"), table.transpose("place", "time"), table.where(table > 0, 0),
        table.groupby("place").mean(), xarray.concat([table, table], "time"), table.rolling(time=3).mean(),
    ]  # fmt: skip
    return [result.data for result in results]


def extended(xp, x):
    return [
        xpx.atleast_nd(x, ndim=3, xp=xp), xpx.cov(x.T), xpx.kron(x, x), xpx.pad(x, 1), xpx.nunique(x > 0),
        xpx.one_hot(xp.asarray([0, 1]), 3), xpx.at(x)[0].set(4.0), xpx.sinc(x), xpx.isclose(x, x),
    ]  # fmt: skip


# name: (function of namespace and arrays, arrays)
ROWS = {
    "LinearDiscriminantAnalysis": (fitted(LinearDiscriminantAnalysis, "means_"), (X, LABELS)),
    "PCA": (fitted(lambda: PCA(3, svd_solver="full"), "explained_variance_", "components_"), (X,)),
    "Ridge": (fitted(lambda: Ridge(solver="svd"), "coef_"), (X, TARGET)),
    "StandardScaler": (scaled, (X,)),
    "MinMaxScaler": (fitted(MinMaxScaler), (X,)),
    "Normalizer": (fitted(Normalizer), (X,)),
    "accuracy_score": (dispatched(metrics.accuracy_score), (LABELS, 1 - LABELS)),
    "zero_one_loss": (dispatched(metrics.zero_one_loss), (LABELS, LABELS)),
    "r2_score": (dispatched(metrics.r2_score), (TARGET, TARGET + 0.1)),
    "mean_squared_error": (dispatched(metrics.mean_squared_error), (TARGET, 2 * TARGET)),
    "mean_absolute_error": (dispatched(metrics.mean_absolute_error), (TARGET, 2 * TARGET)),
    "euclidean_distances": (dispatched(metrics.pairwise.euclidean_distances), (X, X[:7] + 1)),
    "cosine_similarity": (dispatched(metrics.pairwise.cosine_similarity), (X, X[:7])),
    "rbf_kernel": (dispatched(metrics.pairwise.rbf_kernel), (X, X[:7])),
    **{
        f"stats.{function.__name__}": (plain(function), arrays)
        for function, arrays in [
            (stats.zscore, (X,)), (stats.skew, (X,)), (stats.kurtosis, (X,)), (stats.moment, (X,)),
            (stats.ttest_1samp, (X, onp.zeros(5))), (stats.ttest_ind, (X, P)),
            (stats.pearsonr, (ROW, TARGET)), (stats.entropy, (P,)), (stats.gmean, (P,)), (stats.hmean, (P,)),
            (stats.normaltest, (X,)),
            (stats.variation, (P,)), (stats.sem, (X,)), (stats.differential_entropy, (X,)),
            (stats.chisquare, (P,)), (stats.bartlett, (ROW, TARGET)), (stats.jarque_bera, (ROW,)),
        ]
    },
    **{
        f"special.{function.__name__}": (plain(function), arrays)
        for function, arrays in [
            (special.erf, (X,)), (special.logit, (P / 9,)), (special.gammaln, (P,)),
            (special.logsumexp, (X,)), (special.softmax, (X,)), (special.xlogy, (P, P)),
            (special.betainc, (P, P, P / 9)),
            (special.ndtr, (X,)), (special.i0, (X,)), (special.expit, (X,)), (special.rel_entr, (P, P + 1)),
        ]
    },
    **{
        f"signal.{function.__name__}": (plain(function, **options), arrays)
        for function, arrays, options in [
            (signal.convolve, (ROW, SHORT), {}), (signal.fftconvolve, (ROW, SHORT), {}),
            (signal.detrend, (X,), {}), (signal.lfilter, (SHORT, FEEDBACK, ROW), {}),
            (signal.medfilt, (ROW,), {}), (signal.hilbert, (ROW,), {}),
            (signal.resample, (ROW,), {"num": 30}), (signal.sosfilt, (SOS, ROW), {}),
            (signal.savgol_filter, (ROW,), {"window_length": 5, "polyorder": 2}),
        ]
    },
    "array-api-compat": (lambda xp, x: [array_api_compat.array_namespace(x).sum(x, axis=0)], (X,)),
    "array-api-extra": (extended, (X,)),
    "einops.rearrange": (plain(einops.array_api.rearrange, pattern="(a b) c -> a (b c)", a=6), (X,)),
    "einops.reduce": (plain(einops.array_api.reduce, pattern="a b -> b", reduction="mean"), (X,)),
    "opt_einsum": (lambda xp, x: opt_einsum.contract("ab,cb,cd->ad", x, x, x), (X,)),
    "xarray": (labelled, (X,)),
}  # fmt: skip


def results(answer):
    return list(answer) if isinstance(answer, (list, tuple)) else [answer]


def difference(function, arrays):
    """What is wrong with a row: "" if nothing is."""
    ours = results(function(np, *(np.array(array) for array in arrays)))
    theirs = results(function(onp, *(array.copy() for array in arrays)))
    if len(ours) != len(theirs):
        return f"{len(ours)} results instead of {len(theirs)}"
    for mine, other in zip(ours, theirs, strict=True):
        # Metrics give numbers of Python.
        if isinstance(other, onp.ndarray) and not isinstance(mine, np.ndarray):
            return f"the result is a {type(mine)}"
        mine = onp.asarray(mine)
        if mine.shape != onp.shape(other) or mine.dtype != onp.asarray(other).dtype:
            return f"{mine.shape} {mine.dtype} instead of {onp.shape(other)} {onp.asarray(other).dtype}"
        if not onp.allclose(mine, other, rtol=1e-9, atol=1e-12, equal_nan=True):
            return f"differs by {onp.abs(mine - other).max()}"
    return ""


def main():
    found = {}
    for name, (function, arrays) in ROWS.items():
        try:
            found[name] = difference(function, arrays)
        except Exception as error:  # told like any other difference
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
