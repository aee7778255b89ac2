"""Scaled dot-product attention of several heads: a forward and backward pair.

The projections before and after it are dense layers and stand in the network.

Source
------
Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762, sections 3.2.1, 3.2.2.

Shapes
------
B batch, T time steps, E model width, N heads. A head is a view of E/N columns of q, k or
v with strides that BLAS accepts: to split heads or to join them copies nothing. Scores
have keys down and queries across, so that a maximum or a sum over keys adds up whole rows.
"""

import numpy as np

from scratch.constants import like
from scratch.workspace import NEW


def attention_forward(q, k, v, N, closed=None, w=NEW):
    """softmax(q k^T / sqrt(E/N)) v, equation (1) there, in each of N heads.

    q, k and v are (B, T, E), and `closed` is what `bias` returns. Returns c (B, T, E), the
    heads side by side, and the map: what each query (down) takes from each key (across).
    """
    m = memory(w, q, N)                                       # not differentiated
    scale = 1 / np.sqrt(like(q, q.shape[2] // N))             # not differentiated
    q_n, k_n, v_n = heads(q, N), heads(k, N), heads(v, N)     # (B, N, T, E/N) each
    z = np.matmul(k_n, q_n.swapaxes(2, 3), out=m.z.swapaxes(1, 2))  # (B, N, T, T)
    z *= scale                                                # (B, N, T, T)
    if closed is not None:
        z += closed                                           # (B, N, T, T)  not differentiated
    a = softmax(z)                                            # (B, N, T, T)
    c_n = np.matmul(a.swapaxes(2, 3), v_n, out=heads(m.c, N))  # (B, N, T, E/N)
    c = joined(c_n)                                           # (B, T, E)
    by_query = a.swapaxes(2, 3)                               # (B, N, T, T)  not differentiated
    return c, by_query, (q_n, k_n, v_n, a, scale, m)


def attention_backward(dc, cache):
    """dq, dk, dv, each (B, T, E)."""
    q_n, k_n, v_n, a, scale, m = cache
    N = a.shape[1]
    # c = joined(c_n)
    dc_n = heads(dc, N)                                       # (B, N, T, E/N)
    # c_n = np.matmul(a.swapaxes(2, 3), v_n, out=heads(m.c, N))
    da = np.matmul(v_n, dc_n.swapaxes(2, 3), out=m.da.swapaxes(1, 2))  # (B, N, T, T)
    dv_n = np.matmul(a, dc_n, out=heads(m.dv, N))             # (B, N, T, E/N)
    # a = softmax(z)
    dz = softmax_back(da, a)                                  # (B, N, T, T)
    # z *= scale
    dz *= scale                                               # (B, N, T, T)
    # z = np.matmul(k_n, q_n.swapaxes(2, 3), out=m.z.swapaxes(1, 2))
    dk_n = np.matmul(dz, q_n, out=heads(m.dk, N))             # (B, N, T, E/N)
    dq_n = np.matmul(dz.swapaxes(2, 3), k_n, out=heads(m.dq, N))  # (B, N, T, E/N)
    # q_n, k_n, v_n = heads(q, N), heads(k, N), heads(v, N)
    dq, dk, dv = joined(dq_n), joined(dk_n), joined(dv_n)     # (B, T, E) each
    return dq, dk, dv


def memory(w, q, N):
    """What the layer writes into. Of scores, the keys come before the heads: in memory the
    queries of all heads lie side by side, and softmax runs down long rows.
    """
    B, T, _ = q.shape
    shapes = dict.fromkeys(("c", "dq", "dk", "dv"), q.shape)
    return w.steps(shapes | dict.fromkeys(("z", "da"), (B, T, N, T)), q.dtype)


def heads(x, N):
    """Look at x (B, T, E) as (B, N, T, E/N): the same memory."""
    B, T, E = x.shape
    return x.reshape(B, T, N, E // N).swapaxes(1, 2)


def joined(x_n):
    """The way back: heads (B, N, T, E/N) of one array (B, T, E) as that array."""
    B, N, T, P = x_n.shape
    return x_n.swapaxes(1, 2).reshape(B, T, N * P)


def softmax(z):
    """Over the keys, axis 2, in the memory of z; a key at -inf gets exactly 0."""
    z -= np.maximum.reduce(z, axis=2, keepdims=True)          # (B, N, T, T)
    e = np.exp(z, out=z)                                      # (B, N, T, T)
    e /= np.add.reduce(e, axis=2, keepdims=True)              # (B, N, T, T)
    return e


def softmax_back(da, a):
    """Return dz = a (da - sum(a da)) in the memory of da; where a is 0, so is dz."""
    mean = np.add.reduce(a * da, axis=2, keepdims=True)       # (B, N, 1, T)
    da -= mean                                                # (B, N, T, T)
    da *= a                                                   # (B, N, T, T)
    return da


def bias(T, mask=None, *, causal, dtype):
    """What is added to the scores of key and query: 0, or -inf where none may look.

    Parameters
    ----------
    T : int
    mask : array (B, T), optional
        1 for a real key, 0 for padding. At least one key is real, and the first ones are:
        the softmax over nothing but -inf would be NaN.
    causal : bool
        Whether a query may not see a key that comes later.
    dtype : dtype

    Returns
    -------
    array (B or 1, 1, T, T), or None where nothing is closed.
    """
    if mask is None and not causal:
        return None
    closed = np.zeros((1, 1, T, T), bool)
    if causal:
        closed = closed | (np.arange(T)[:, None] > np.arange(T))
    if mask is not None:
        closed = closed | (mask[:, None, :, None] == 0)
    return np.where(closed, -np.inf, 0).astype(dtype)
