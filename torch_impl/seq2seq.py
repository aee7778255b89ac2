"""Sequence to sequence in PyTorch: two nn.LSTM, the second begins where the first ends.

Source
------
Sutskever, Vinyals & Le (2014), Advances in Neural Information Processing Systems 27,
3104-3112. One layer of each instead of four; x is not reversed; every answer has T
tokens, so none stands for the end; greedy decoding instead of a beam. The LSTM is that
of lstm, equations (1)-(5) there.

Equations
---------
::

    u_s  = E_x[x_s]                a vector for each token that is read           (1)
    h, c = LSTM_e(u_s, h, c)       encoder, s = 1 ... S, from h = c = 0           (2)
    v_t  = E_y[y_(t-1)]            the token before, which is given; y_0: start   (3)
    h, c = LSTM_d(v_t, h, c)       decoder, t = 1 ... T, from the encoder's end   (4)
    prediction_t = h W_y + b_y     logits                                         (5)
    y_t = argmax prediction_t      generate: its own token goes back into (3)     (6)

Shapes
------
B batch, S steps of x, T steps of y, of which the decoder takes L in one call (all T, or
one in generate), V tokens (the last one is the start), M numbers in a token's vector, H
hidden units. LSTM_e has W_ex, W_eh and b_e, LSTM_d has W_dx, W_dh and b_d.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from torch_impl import losses
from torch_impl.weights import FROZEN, SAME, TRANSPOSED, Weight

INPUTS = ()  # token ids have no derivative


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        V, M, H = sizes["V"], sizes["M"], sizes["H"]
        self.embed_x = nn.Embedding(V, M)
        self.encoder = nn.LSTM(M, H, num_layers=1, batch_first=True)
        self.embed_y = nn.Embedding(V, M)
        self.decoder = nn.LSTM(M, H, num_layers=1, batch_first=True)
        self.out = nn.Linear(H, V, bias=True)
        for lstm in (self.encoder, self.decoder):  # one bias is enough: see lstm
            nn.init.zeros_(lstm.bias_hh_l0).requires_grad_(False)

    def encode(self, batch):
        """All h on the way, and (h, c) at the last token of x: (1), (2)."""
        x, mask = batch["x"], batch.get("mask")  # (B, S)   mask too, or None
        u = self.embed_x(x)                      # (B, S, M)  (1)
        if mask is None:
            return self.encoder(u)
        lengths = mask.sum(dim=1).long().cpu()   # (B,)
        packed = pack_padded_sequence(u, lengths, batch_first=True, enforce_sorted=False)
        packed, state = self.encoder(packed)     # (2)
        S = x.shape[1]
        h, _ = pad_packed_sequence(packed, batch_first=True, total_length=S)  # (B, S, H)
        return h, state

    def decode(self, y, state):
        """Predict (B, L, V) from the tokens y (B, L) that stand before: (3)-(5)."""
        v = self.embed_y(y)                      # (B, L, M)  (3)
        h, state = self.decoder(v, state)        # (B, L, H)  (4)
        prediction = self.out(h)                 # (B, L, V)  (5)
        return prediction, h, state

    def forward(self, batch):
        read, (h, c) = self.encode(batch)        # (B, S, H), (1, B, H), (1, B, H)
        prediction, said, _ = self.decode(batch["y_in"], (h, c))  # (B, T, V), (B, T, H)
        return {"h_e": read, "c_e": c[0], "h_d": said, "prediction": prediction}


loss = losses.of_tokens


@torch.no_grad()
def generate(model, batch, sizes):
    """The most likely token, then the next one that follows on it, ...: equation (6)."""
    _, state = model.encode(batch)
    y = torch.full_like(batch["x"][:, :1], sizes["V"] - 1)  # (B, 1)
    ys = []
    for _ in range(sizes["T"]):
        prediction, _, state = model.decode(y, state)       # (B, 1, V)
        y = prediction.argmax(dim=2)                        # (B, 1)     (6)
        ys.append(y)
    return torch.cat(ys, dim=1)


WEIGHTS = (
    Weight("embed_x.weight", ("E_x",), *SAME),
    Weight("encoder.weight_ih_l0", ("W_ex",), *TRANSPOSED),
    Weight("encoder.weight_hh_l0", ("W_eh",), *TRANSPOSED),
    Weight("encoder.bias_ih_l0", ("b_e",), *SAME),
    Weight("encoder.bias_hh_l0", (), *FROZEN),
    Weight("embed_y.weight", ("E_y",), *SAME),
    Weight("decoder.weight_ih_l0", ("W_dx",), *TRANSPOSED),
    Weight("decoder.weight_hh_l0", ("W_dh",), *TRANSPOSED),
    Weight("decoder.bias_ih_l0", ("b_d",), *SAME),
    Weight("decoder.bias_hh_l0", (), *FROZEN),
    Weight("out.weight", ("W_y",), *TRANSPOSED),
    Weight("out.bias", ("b_y",), *SAME),
)
