"""LeNet-5, from scratch.

Source
------
LeCun, Bottou, Bengio & Haffner (1998), Proceedings of the IEEE 86(11), 2278-2324,
section II.B. As taught today: pictures of 28 x 28 that (1) pads, not of 32 x 32;
the largest of four pixels, where a trained multiple of their sum was; ReLU, not a
scaled tanh; every kernel of (3) sees all maps of (2); softmax, not distances to
drawn figures.

Equations
---------
::

    z_1 = x * W_1 + b_1          *: a kernel on every pixel, zeros around    (1)
    h_1 = f(max_pool(z_1))       the largest of 2 x 2; f: relu, tanh, ...    (2)
    z_2 = h_1 * W_2 + b_2        a kernel wherever it fits inside            (3)
    h_2 = f(max_pool(z_2))                                                   (4)
    h_3 = f(flat(h_2) W_3 + b_3) row by row, pixel by pixel, map by map      (5)
    h_4 = f(h_3 W_4 + b_4)                                                   (6)
    prediction = h_4 W_5 + b_5   logits                                      (7)

Shapes
------
B batch, H height, W width, C channels of a picture; F x F pixels of a kernel, M and
N kernels, P x Q pixels that are left in the end; R and S units, K classes.
"""

from scratch import losses, workspace
from scratch.activations import activation
from scratch.convolution import (
    conv_backward,
    conv_forward,
    max_pool_backward,
    max_pool_forward,
    outputs_of,
)
from scratch.layers import (
    dense_backward,
    dense_forward,
    flatten_backward,
    flatten_forward,
)
from scratch.regularizers import shift_backward, shift_forward
from scratch.workspace import NEW

INPUTS = ("x",)
AROUND = {"stride": 1, "padding": "same"}
INSIDE = {"stride": 1, "padding": "valid"}
HALVES = {"size": (2, 2), "stride": 2, "padding": "valid"}


def shapes(sizes, recipe):
    F, M, N, R, S, K = (sizes[letter] for letter in "FMNRSK")
    *picture, C = sizes["shape"]
    half = outputs_of(picture, **HALVES)
    P, Q = outputs_of(outputs_of(half, size=(F, F), **INSIDE), **HALVES)
    W = {"W_1": (F, F, C, M), "W_2": (F, F, M, N)}
    W |= {"W_3": (P * Q * N, R), "W_4": (R, S), "W_5": (S, K)}
    return W | {f"b_{l}": (W[f"W_{l}"][-1],) for l in range(1, 6)}


def forward(params, batch, recipe, *, train, w=NEW):
    activate, _ = activation(recipe["activation"])                       # not differentiated
    W_1, W_2, W_3, W_4, W_5 = (params[f"W_{l}"] for l in range(1, 6))    # not differentiated
    b_1, b_2, b_3, b_4, b_5 = (params[f"b_{l}"] for l in range(1, 6))    # not differentiated
    x, by = batch["x"], None                                             # (B, H, W, C)
    if "shift" in batch:
        x, by = shift_forward(x, batch["shift"])
    z_1, conv_1 = conv_forward(x, W_1, b_1, w["conv_1"], **AROUND)       # (B, H, W, M)      (1)
    p_1, pool_1 = max_pool_forward(z_1, w["pool_1"], **HALVES)           # (B, H/2, W/2, M)
    h_1 = activate(p_1)                                                  # (B, H/2, W/2, M)  (2)
    z_2, conv_2 = conv_forward(h_1, W_2, b_2, w["conv_2"], **INSIDE)     # (B, 2P, 2Q, N)    (3)
    p_2, pool_2 = max_pool_forward(z_2, w["pool_2"], **HALVES)           # (B, P, Q, N)
    h_2 = activate(p_2)                                                  # (B, P, Q, N)      (4)
    flat, shape = flatten_forward(h_2)                                   # (B, P*Q*N)
    z_3, dense_3 = dense_forward(flat, W_3, b_3, w[3])                   # (B, R)
    h_3 = activate(z_3, out=w[3].h)                                      # (B, R)            (5)
    z_4, dense_4 = dense_forward(h_3, W_4, b_4, w[4])                    # (B, S)
    h_4 = activate(z_4, out=w[4].h)                                      # (B, S)            (6)
    prediction, dense_5 = dense_forward(h_4, W_5, b_5, w[5])             # (B, K)            (7)
    outputs = {}
    outputs["h_1"], outputs["h_2"], outputs["h_3"], outputs["h_4"] = h_1, h_2, h_3, h_4
    outputs["prediction"] = prediction
    cache = by, conv_1, pool_1, conv_2, pool_2, shape, dense_3, dense_4, dense_5
    return outputs, (cache, (p_1, h_1), (p_2, h_2), (z_3, h_3), (z_4, h_4))


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    _, back = activation(recipe["activation"])
    cache, of_h_1, of_h_2, of_h_3, of_h_4 = cache
    by, conv_1, pool_1, conv_2, pool_2, shape, dense_3, dense_4, dense_5 = cache
    grads = {}
    # prediction, dense_5 = dense_forward(h_4, W_5, b_5, w[5])
    dh_4, grads["W_5"], grads["b_5"] = dense_backward(doutputs["prediction"], dense_5, w[5])
    # h_4 = activate(z_4, out=w[4].h)
    dz_4 = back(dh_4, *of_h_4, out=w[4].dz)                              # (B, S)
    # z_4, dense_4 = dense_forward(h_3, W_4, b_4, w[4])
    dh_3, grads["W_4"], grads["b_4"] = dense_backward(dz_4, dense_4, w[4])  # (B, R)
    # h_3 = activate(z_3, out=w[3].h)
    dz_3 = back(dh_3, *of_h_3, out=w[3].dz)                              # (B, R)
    # z_3, dense_3 = dense_forward(flat, W_3, b_3, w[3])
    dflat, grads["W_3"], grads["b_3"] = dense_backward(dz_3, dense_3, w[3])
    # flat, shape = flatten_forward(h_2)
    dh_2 = flatten_backward(dflat, shape)                                # (B, P, Q, N)
    # h_2 = activate(p_2)
    dp_2 = back(dh_2, *of_h_2)                                           # (B, P, Q, N)
    # p_2, pool_2 = max_pool_forward(z_2, w["pool_2"], **HALVES)
    dz_2 = max_pool_backward(dp_2, pool_2, w["pool_2"])                  # (B, 2P, 2Q, N)
    # z_2, conv_2 = conv_forward(h_1, W_2, b_2, w["conv_2"], **INSIDE)
    dh_1, grads["W_2"], grads["b_2"] = conv_backward(dz_2, conv_2, w["conv_2"])
    # h_1 = activate(p_1)
    dp_1 = back(dh_1, *of_h_1)                                           # (B, H/2, W/2, M)
    # p_1, pool_1 = max_pool_forward(z_1, w["pool_1"], **HALVES)
    dz_1 = max_pool_backward(dp_1, pool_1, w["pool_1"])                  # (B, H, W, M)
    # z_1, conv_1 = conv_forward(x, W_1, b_1, w["conv_1"], **AROUND)
    wanted = "x" in inputs
    dx, grads["W_1"], grads["b_1"] = conv_backward(dz_1, conv_1, w["conv_1"], want_dx=wanted)
    if by is not None and wanted:
        # x, by = shift_forward(x, batch["shift"])
        dx = shift_backward(dx, by)
    # x, by = batch["x"], None
    grads["d/x"] = dx
    return grads


loss = losses.of_prediction


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    w, dtype = {}, grads["W_1"].dtype
    for l in (1, 2):
        w[f"conv_{l}"] = workspace.Pictures(dtype, grads[f"W_{l}"], grads[f"b_{l}"])
        w[f"pool_{l}"] = workspace.Pictures(dtype)
    return w | {l: workspace.Dense(B, grads[f"W_{l}"], grads[f"b_{l}"]) for l in (3, 4, 5)}
