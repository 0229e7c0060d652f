"""Frames of many clips to one row each: summaries over time, or sequences of equal length.

Shapes: B clips, T frames of the longest clip, C features. After a clip's end its last frame
repeats: extremes need no mask, and sums take the repetitions off again.
"""

import numpy as np
import torch


def statistics(features, lengths, names):
    """Summaries over a clip's frames.

    Parameters
    ----------
    features : Tensor of shape (B, T, C)
        Frames of many clips; their memory is used.
    lengths : Tensor of shape (B,)
        Frames of each clip.
    names : sequence of str
        Any of "mean", "std", "min", "max", "p00" to "p99".

    Returns
    -------
    Tensor of shape (B, C, len(names))
        In the order of `names`.
    """
    summaries = {}
    if {"min", "max"} & set(names):
        summaries["min"], summaries["max"] = features.amin(1), features.amax(1)
    percentiles = [name for name in names if name.startswith("p")]
    if percentiles:
        padding = torch.arange(features.shape[1], device=features.device) >= lengths[:, None]
        ordered = features.masked_fill(padding[..., None], torch.inf).transpose(1, 2)
        ordered = _sort(ordered.contiguous())  # (B, C, T)
        for name in percentiles:
            summaries[name] = _percentile(ordered, lengths, int(name[1:]) / 100)
    if {"mean", "std"} & set(names):
        summaries["mean"], summaries["std"] = _moments(features, lengths)
    return torch.stack([summaries[name].float() for name in names], dim=-1)


def statistics_of_parts(features, lengths, names, n_parts):
    """Summaries over each of some parts of equal length.

    Parameters
    ----------
    features : Tensor of shape (B, T, C)
        Frames of many clips; their memory is used.
    lengths : Tensor of shape (B,)
        Frames of each clip; of fewer frames than parts, some count in several.
    names : sequence of str
        As `statistics` takes them.
    n_parts : int
        Parts of each clip.

    Returns
    -------
    Tensor of shape (B, n_parts, C, len(names))
        Parts in their order in time.
    """
    if n_parts == 1:
        return statistics(features, lengths, names).unsqueeze(1)
    summaries = []
    for part in range(n_parts):
        starts = part * lengths // n_parts  # (B,)
        stops = torch.maximum((part + 1) * lengths // n_parts, starts + 1)
        frames = starts[:, None] + torch.arange(int((stops - starts).max()), device=starts.device)
        frames = torch.minimum(frames, stops[:, None] - 1)  # the last frame repeats
        chosen = features.gather(1, frames[..., None].expand(-1, -1, features.shape[2]))
        summaries.append(statistics(chosen, stops - starts, names))
    return torch.stack(summaries, dim=1)


def _moments(features, lengths):
    if len(features) == 1:  # a clip alone has no padding
        mean = features.mean(1)
        return mean, features.sub_(mean[:, None]).square_().mean(1).sqrt_()
    # summed in float64: the last digits must not tell how much padding follows
    count = lengths[:, None].double()
    surplus = features.shape[1] - count
    last = features[:, -1].double()
    mean = (features.sum(1, dtype=torch.double) - surplus * last) / count
    shifted = features - mean[:, None].float()
    squares = shifted.square_().sum(1, dtype=torch.double) - surplus * shifted[:, -1]
    return mean, (squares / count).clamp_(min=0).sqrt_()


def _sort(values):
    if values.device.type == "cpu":  # numpy sorts short float32 rows several times faster
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))
    return values.sort(dim=-1).values


def _percentile(ordered, lengths, share):
    position = (lengths - 1).double() * share  # (B,)
    below = position.floor().long()
    above = torch.minimum(below + 1, lengths - 1)
    weight = (position - below)[:, None]
    clips = torch.arange(len(ordered), device=ordered.device)
    low, high = ordered[clips, :, below], ordered[clips, :, above]
    return low + (high - low) * weight


def sequences(features, lengths, *, frames_per_step, max_steps, squeeze):
    """Average neighbouring frames into steps, NaN after a clip's last step.

    Parameters
    ----------
    features : Tensor of shape (B, T, C)
        Frames of many clips.
    lengths : Tensor of shape (B,)
        Frames of each clip.
    frames_per_step, max_steps : int
        Frames that a step averages; steps that a clip has at most.
    squeeze : bool
        True: a clip that is too long averages as many more frames per step as it needs to
        fit. False: what stands over is cut off.

    Returns
    -------
    Tensor of shape (B, max_steps, C)
        A clip's last step averages the frames that are left.
    """
    widths = torch.full_like(lengths, frames_per_step)  # (B,)
    if squeeze:
        widths = torch.maximum(widths, -(-lengths // max_steps))
    steps = features.new_full((len(features), max_steps, features.shape[2]), torch.nan)
    for width in widths.unique().tolist():  # one, as long as no clip has to be squeezed
        clips = widths == width
        averages = _averages(features[clips], lengths[clips], width, max_steps)
        steps[clips, : averages.shape[1]] = averages
    return steps


def _averages(features, lengths, width, max_steps):
    """Average each `width` frames: (B, T, C) to (B, at most max_steps, C)."""
    n_steps = min(max_steps, -(-features.shape[1] // width))
    lacking = n_steps * width - features.shape[1]
    if lacking > 0:
        features = torch.cat([features, features[:, -1:].expand(-1, lacking, -1)], dim=1)
    pieces = features[:, : n_steps * width].unflatten(1, (n_steps, width))  # (B, S, width, C)
    starts = torch.arange(n_steps, device=lengths.device) * width
    real = (lengths[:, None] - starts).clamp_(0, width)[..., None]  # (B, S, 1)
    # in float64, so that taking the repetitions of the last frame off leaves no trace of them
    last = features[:, -1:].double()
    sums = pieces.sum(2, dtype=torch.double) - (width - real) * last
    return (sums / real).float().masked_fill_(real == 0, torch.nan)
