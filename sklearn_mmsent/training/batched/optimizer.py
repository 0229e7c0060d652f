"""AdamW over stacked members, each with a separate learning rate and weight decay.

Loshchilov, Hutter (2019), Decoupled weight decay regularization, ICLR, algorithm 2, with the
constants that `torch.optim.AdamW` has by default: for step t and gradient g

    w <- w - lr wd w,    m <- b1 m + (1 - b1) g,    v <- b2 v + (1 - b2) g^2,
    w <- w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps).

Shapes: K members, P parameters of each.
"""

from itertools import groupby

import torch

from sklearn_mmsent.training.schedule import factor

BETAS, EPS = (0.9, 0.999), 1e-8


class StackedAdamW:
    """AdamW for all members of a stack.

    On a CPU, adjacent members with equal settings share a call of torch's fused kernel; on other
    devices, where each call costs a launch, all members share a few operations.

    Parameters
    ----------
    weights : Tensor of shape (K, P)
        Parameters of the members.
    gradients : Tensor of shape (K, P)
        Read at each step.
    settings : list of Settings
        One per member.
    fused : bool
        Whether to use torch's fused kernel.
    """

    def __init__(self, weights, gradients, settings, *, fused):
        self.weights, self.gradients, self.settings = weights, gradients, settings
        self.moments = torch.zeros_like(weights), torch.zeros_like(weights)
        self.steps = [0] * len(settings)  # made by each member
        self.fused = fused
        self._arrange()

    def _arrange(self):
        """Group adjacent members that make the same steps."""
        self.runs = []
        numbers = list(zip(self.settings, self.steps, strict=True))
        for (_, step), run in groupby(range(len(numbers)), key=numbers.__getitem__):
            run = list(run)
            at = slice(run[0], run[-1] + 1)
            tensors = (self.weights, self.gradients, *self.moments)
            state = torch.tensor(float(step))
            self.runs.append((at, [[tensor[at]] for tensor in tensors], state))

    def keep(self, weights, gradients, kept):
        """Continue with some of the members, whose weights and gradients have moved."""
        self.weights, self.gradients = weights, gradients
        self.moments = tuple(moment[kept] for moment in self.moments)
        self.settings = [self.settings[i] for i in kept]
        self.steps = [self.steps[i] for i in kept]
        self._arrange()

    def step(self, batch):
        """Make a step after a batch, given by its number in the epoch.

        Members whose rows are used up in this epoch do not change.
        """
        active = [batch < settings.n_batches for settings in self.settings]
        rates = [
            settings.lr * factor(step, settings.n_steps, settings.lr_schedule, settings.warmup)
            for settings, step in zip(self.settings, self.steps, strict=True)
        ]
        if self.fused:
            for at, tensors, state in self.runs:
                if active[at.start]:
                    state += 1
                    self._step_fused(tensors, state, rates[at.start], self.settings[at.start])
        else:
            self._step_vectorized(active, rates)
        self.steps = [step + moves for step, moves in zip(self.steps, active, strict=True)]

    def _step_fused(self, tensors, state, lr, settings):
        torch._fused_adamw_(
            *tensors,
            [],
            [state],
            lr=lr,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=settings.weight_decay,
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )

    def _step_vectorized(self, active, rates):
        columns = [
            [
                lr * moves,
                1 - lr * settings.weight_decay * moves,
                (1 - BETAS[0]) * moves,
                (1 - BETAS[1]) * moves,
                1 - BETAS[0] ** (step + 1),
                (1 - BETAS[1] ** (step + 1)) ** 0.5,
            ]
            for moves, lr, settings, step in zip(
                active, rates, self.settings, self.steps, strict=True
            )
        ]
        numbers = torch.tensor(columns, dtype=self.weights.dtype).to(
            self.weights.device, non_blocking=True
        )
        lr, decay, new_mean, new_square, correct_mean, correct_square = numbers.T.unsqueeze(2)
        mean, square = self.moments
        self.weights.mul_(decay)
        mean.add_(new_mean * (self.gradients - mean))
        square.add_(new_square * (self.gradients**2 - square))
        slope = square.sqrt().div_(correct_square).add_(EPS)
        self.weights.sub_(mean / slope * (lr / correct_mean))


def clip(gradients, limits):
    """Scale the gradients (K, P) of each member down to its maximum norm (K, 1)."""
    length = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
    gradients.mul_((limits / (length + 1e-6)).clamp(max=1))
