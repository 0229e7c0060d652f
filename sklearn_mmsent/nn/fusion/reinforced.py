"""Hard gates learned by policy gradient, before an LSTM with temporal attention (GME-LSTM(A)).

Chen, Wang, Liang, Baltrusaitis, Zadeh, Morency (2017), Multimodal sentiment analysis with
word-level fusion and reinforcement learning, ICMI: a controller C of each modality switches its
input x_t at each step on or off, c_t ~ Bernoulli(s(C(x_t))), s the sigmoid; an LSTM reads the
gated concatenated inputs c_t x_t of all modalities, and attention over time pools its outputs
h_t to the sum of a_t h_t, with a = softmax(v' tanh(W h_t)) over the steps.

The controllers learn by REINFORCE, the negative loss of a row being its reward: Williams (1992),
Simple statistical gradient-following algorithms for connectionist reinforcement learning,
Machine Learning 8. For loss l, its running mean m and standard deviation d, the objective is

    (l - m) / d * sum over gates of log p(c)  +  cost * r * mean p(open)  -  entropy * mean H(p)

with r = 1 - m / (the largest m so far), the relative reduction of the loss. The paper has no cost
of open gates; without the factor r, an untrained network would close all gates and never learn.
"""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mmsent.nn._alignment import common_clock, take, uniform_draws
from sklearn_mmsent.nn._recurrence import RealSteps
from sklearn_mmsent.nn.fusion.base import Fusion
from sklearn_mmsent.nn.losses import weighted_mean


class ReinforcedFusion(Fusion):
    """Hard gates for each step of each block, sampled in training, deterministic in prediction.

    Steps at which all gates are closed are skipped. The paper gates audio and image, aligned to
    words, which are not gated; here every block is gated, and sequences are aligned to the
    longest, see `common_clock` in ``nn/_alignment.py``. Absent blocks enter as absence tokens.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D, also of the LSTM.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    gated : bool, default=True
        Whether there are gates; False is a baseline with all gates open.
    gate_cost : float, default=1.0
        Cost of open gates, in standard deviations of the rows' losses, at zero loss; lower while
        the loss is high.
    entropy : float, default=0.01
        Bonus for entropy, in standard deviations per nat, which keeps exploration.
    decay : float, default=0.95
        Decay per batch of the running mean and deviation of the losses.
    """

    sequential = True
    weights_are = "gates"

    def __init__(
        self,
        n_blocks,
        width,
        dropout,
        gated=True,
        gate_cost=1.0,
        entropy=0.01,
        decay=0.95,
    ):
        super().__init__()
        self.gated = gated
        self.gate_cost = gate_cost
        self.entropy = entropy
        self.decay = decay
        self.controllers = nn.ModuleList(Controller(width) for _ in range(n_blocks if gated else 0))
        self.lstm = nn.LSTM(n_blocks * width, width, batch_first=True)
        self.attention = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        self.dropout = nn.Dropout(dropout)
        # decaying sums of one, the loss and its square
        self.register_buffer("moments", torch.zeros(3))
        self.register_buffer("worst", torch.zeros(()))  # the largest running mean so far

    def gates(self, tokens, real, present):
        """Return which steps have open gates: a list of M masks of shape (B, S_m).

        Sampled in training mode. False for padding, True for absence tokens.
        """
        return self._open(self._logits(tokens), real, present)

    def block_weights(self, tokens, real, present):
        """Return the share of a block's real steps with open gates; see the base class."""
        if not self.gated:
            return None
        opened = self.step_weights(tokens, real, present)
        shares = [gate.sum(1) / mask.sum(1) for gate, mask in zip(opened, real, strict=True)]
        return torch.stack(shares, dim=1)

    def step_weights(self, tokens, real, present):
        """Return one for steps with open gates, zero for the others; see the base class."""
        if not self.gated:
            return None
        gates = self.gates(tokens, real, present)
        return [gate.to(tokens[0].dtype) * present[:, i, None] for i, gate in enumerate(gates)]

    def forward(self, tokens, real, present):
        """Fuse M sequences of shape (B, S_m, D) to (B, D)."""
        return self.forward_train(tokens, real, present)[0]

    def forward_train(self, tokens, real, present):
        """Fuse in training; see the base class."""
        logits = self._logits(tokens)
        opened = self._open(logits, real, present)
        indices, ticks = common_clock(real)
        gated = [
            take(sequence * gate.unsqueeze(-1), index)
            for sequence, gate, index in zip(tokens, opened, indices, strict=True)
        ]
        # a step does not count for an absence token alone
        open_at = [
            take(gate & present[:, i, None], index)
            for i, (gate, index) in enumerate(zip(opened, indices, strict=True))
        ]
        counts = ticks & torch.stack(open_at).any(0)  # (B, T)
        # the LSTM reads only steps that count
        states, _ = RealSteps(counts).run(self.lstm, torch.cat(gated, dim=-1))  # (B, T, D)
        share = _softmax(self.attention(states).squeeze(-1), counts)
        fused = self.dropout((share.unsqueeze(-1) * states).sum(1))
        return fused, (logits, opened, _choices(real, present))

    def auxiliary_loss(self, intermediates, batch):
        """Return the loss of the controllers; see the base class."""
        if not self.gated:
            return None
        logits, opened, free = intermediates
        mean, deviation, learned = self._follow(batch.losses, batch.weights)
        price = self.gate_cost * learned
        logit, gate, free = (torch.cat(steps, dim=1) for steps in (logits, opened, free))
        p, free = logit.sigmoid(), free.to(logit.dtype)  # (B, S_1 + ... + S_M)
        log_p = -F.binary_cross_entropy_with_logits(logit, gate.to(logit.dtype), reduction="none")
        undecided = F.softplus(logit) - p * logit
        gain = (batch.losses - mean) / deviation * (log_p * free).sum(1)
        shares = ((price * p - self.entropy * undecided) * free).sum(1)
        return weighted_mean(gain + shares / free.sum(1).clamp(min=1), batch.weights)

    def _logits(self, tokens):
        # the noisy gradient of the controllers must not reach the encoders
        return [
            controller(sequence.detach())
            for controller, sequence in zip(self.controllers, tokens, strict=False)
        ]

    def _open(self, logits, real, present):
        if not self.gated:
            return list(real)
        opened = []
        for logit, mask, free in zip(logits, real, _choices(real, present), strict=True):
            threshold = uniform_draws(mask) if self.training else 0.5
            opened.append(torch.where(free, logit.sigmoid() > threshold, mask))
        return opened

    def _follow(self, losses, weights):
        """Return the losses' running mean and deviation, and the relative reduction of the loss."""
        powers = [weighted_mean(losses**k, weights) for k in range(3)]
        with torch.no_grad():
            self.moments.lerp_(torch.stack(powers).to(self.moments.dtype), 1 - self.decay)
            count, mean, square = self.moments.unbind()
            mean = mean / count.clamp(min=1e-12)
            deviation = (square / count.clamp(min=1e-12) - mean**2).clamp(min=1e-8).sqrt()
            self.worst.copy_(torch.maximum(self.worst, mean))
            learned = 1 - mean / self.worst.clamp(min=1e-12)
        return mean, deviation, learned


class Controller(nn.Module):
    """Two dense layers from a token to the logit of its gate, initially 3:1 for open.

    Parameters
    ----------
    width : int
        Width D of the tokens.
    """

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        nn.init.constant_(self.layers[-1].bias, 1.1)

    def forward(self, tokens):
        """Map tokens of shape (B, S, D) to logits of shape (B, S)."""
        return self.layers(tokens).squeeze(-1)


def _choices(real, present):
    """Return which gates the controllers control: those of real steps of present blocks."""
    return [mask & present[:, i, None] for i, mask in enumerate(real)]


def _softmax(scores, mask):
    """Softmax of scores (B, T) over the mask; zeros where the mask is empty."""
    some = mask.any(dim=1, keepdim=True)
    return scores.masked_fill(~mask & some, -torch.inf).softmax(1) * some
