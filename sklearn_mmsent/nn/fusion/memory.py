"""The memory fusion network (MFN): one LSTM per block, and a gated memory over all.

Zadeh, Liang, Mazumder, Poria, Cambria, Morency (2018), Memory fusion network for multi-view
sequential learning, AAAI. With h_t, c_t the concatenated outputs and memories of M LSTMs,

    delta-memory attention  g_t = [c_(t-1), c_t] * softmax(D_a([c_(t-1), c_t]))
    multi-view gated memory u_t = s(D_1(g_t)) * u_(t-1) + s(D_2(g_t)) * tanh(D_u(g_t)),

s the sigmoid, every D of two dense layers; the result is computed from h_T and u_T.
"""

import torch
from torch import nn

from sklearn_mmsent.nn._alignment import common_clock, take
from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.fusion.base import Fusion, shares_of


class MemoryFusion(Fusion):
    """One LSTM per block, and a gated memory of joint changes in their memories.

    The paper's sequences are aligned by word. Here a row's sequences are aligned to the longest
    one, shorter ones hold their steps longer, and flat or absent blocks are constant; see
    `common_clock` in ``nn/_alignment.py``.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D, also of each LSTM.
    dropout : float
        Probability with which a unit is zeroed in training.
    memory_size : int or None, default=None
        Width U of the multi-view gated memory; None means D.
    """

    sequential = True

    def __init__(self, n_blocks, width, dropout, memory_size=None):
        super().__init__()
        memory_size = width if memory_size is None else memory_size
        window = 2 * n_blocks * width  # of two consecutive memories
        self.cells = ParallelLSTM(n_blocks, width)
        self.attention = _two_layers(window, width, window, dropout)
        self.propose = _two_layers(window, width, memory_size, dropout)
        self.retain = _two_layers(window, width, memory_size, dropout)
        self.update = _two_layers(window, width, memory_size, dropout)
        self.project = nn.Sequential(
            nn.Linear(n_blocks * width + memory_size, width), nn.ReLU(), nn.Dropout(dropout)
        )

    def block_weights(self, tokens, real, present):
        """Return the delta-memory attention to each block's memory; see the base class.

        Summed over units, averaged over time, and normalised over the present blocks.
        """
        ticks, _, window = self._run_cells(tokens, real)
        units = self.attention(window).softmax(-1).unflatten(-1, (2, present.shape[1], -1))
        attention = units.sum((2, 4)) * ticks.unsqueeze(-1)  # (B, T, M)
        return shares_of(attention.sum(1) * present)

    def forward(self, tokens, real, present):
        """Fuse M sequences of shape (B, S_m, D) to (B, D)."""
        ticks, outputs, window = self._run_cells(tokens, real)
        noted = window * self.attention(window).softmax(-1)
        retain, update = self.retain(noted).sigmoid(), self.update(noted).sigmoid()
        proposal = update * self.propose(noted).tanh()  # (B, T, U)
        # steps after a row's end are computed but not used
        memory, watched = torch.zeros_like(proposal[:, 0]), []
        for kept, new in zip(retain.unbind(1), proposal.unbind(1), strict=True):
            memory = kept * memory + new
            watched.append(memory)
        end = ticks.sum(1, keepdim=True) - 1  # (B, 1)
        last = [take(x, end).squeeze(1) for x in (outputs, torch.stack(watched, dim=1))]
        return self.project(torch.cat(last, dim=1))

    def _run_cells(self, tokens, real):
        """Run the LSTMs; return valid ticks, outputs, and two consecutive memories per tick."""
        indices, ticks = common_clock(real)
        inputs = [take(x, index) for x, index in zip(tokens, indices, strict=True)]
        outputs, memories = self.cells(torch.stack(inputs))  # (B, T, M D)
        before = nn.functional.pad(memories, (0, 0, 1, 0))[:, :-1]  # nothing before the first
        return ticks, outputs, torch.cat([before, memories], dim=-1)  # (B, T, 2 M D)


class ParallelLSTM(nn.Module):
    """M LSTMs of one width, which make each step together; returns their memories, too.

    ``torch.nn.LSTM`` runs one LSTM at a time and returns the memories of the last step only.

    Parameters
    ----------
    n_blocks : int
        Number of LSTMs M.
    width : int
        Width D of inputs and outputs.
    """

    def __init__(self, n_blocks, width):
        super().__init__()
        self.inputs = nn.Parameter(torch.empty(n_blocks, width, 4 * width))
        self.recurrent = nn.Parameter(torch.empty(n_blocks, width, 4 * width))
        self.bias = nn.Parameter(torch.empty(n_blocks, 1, 4 * width))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(width**-0.5), width**-0.5)

    def forward(self, x):
        """Run x of shape (M, B, T, D); return outputs and memories of shape (B, T, M D)."""
        n_steps = x.shape[2]
        driven = torch.baddbmm(self.bias, x.flatten(1, 2), self.inputs)
        driven = driven.unflatten(1, (-1, n_steps)).unbind(2)  # T of (M, B, 4 D)
        h = c = torch.zeros_like(x[:, :, 0])  # (M, B, D)
        outputs, memories = [], []
        for step in driven:
            gates = torch.baddbmm(step, h, self.recurrent)
            enter, forget, new, leave = gates.chunk(4, dim=-1)
            c = forget.sigmoid() * c + enter.sigmoid() * new.tanh()
            h = leave.sigmoid() * c.tanh()
            outputs.append(h)
            memories.append(c)
        return tuple(
            torch.stack(states).permute(2, 0, 1, 3).flatten(2) for states in (outputs, memories)
        )


def _two_layers(n_inputs, width, n_outputs, dropout):
    return nn.Sequential(
        nn.Linear(n_inputs, width), nn.ReLU(), StepDropout(dropout), nn.Linear(width, n_outputs)
    )
