"""Pooling of frames over time: statistics, or sequences of equal length.

Shapes: B clips, T frames of the longest clip, C features. Clips are padded by repeating their last
frame: extremes need no mask, and sums subtract the repetitions.
"""

import numpy as np
import torch


def pool(extractor, features, lengths, n_segments=1):
    """Pool frames (B, T, C) of clips of given lengths (B,) by the parameters of an extractor."""
    if extractor.pooling == "stats":
        return segment_statistics(features, lengths, extractor.statistics, n_segments)
    return sequences(
        features,
        lengths,
        frames_per_step=extractor.frames_per_step,
        max_steps=extractor.max_steps,
        squeeze=extractor.long_clips == "squeeze",
    )


def statistics(features, lengths, names):
    """Compute statistics over the frames of each clip, (B, T, C) to (B, C, len(names)).

    Names are any of "mean", "std", "min", "max", "p00" to "p99". The features are overwritten.
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


def segment_statistics(features, lengths, names, n_segments):
    """Compute statistics over segments of equal length, (B, n_segments, C, len(names)).

    In clips with fewer frames than segments, segments overlap. The features are overwritten.
    """
    if n_segments == 1:
        return statistics(features, lengths, names).unsqueeze(1)
    summaries = []
    for segment in range(n_segments):
        starts = segment * lengths // n_segments  # (B,)
        stops = torch.maximum((segment + 1) * lengths // n_segments, starts + 1)
        frames = starts[:, None] + torch.arange(int((stops - starts).max()), device=starts.device)
        frames = torch.minimum(frames, stops[:, None] - 1)  # the last frame repeats
        chosen = features.gather(1, frames[..., None].expand(-1, -1, features.shape[2]))
        summaries.append(statistics(chosen, stops - starts, names))
    return torch.stack(summaries, dim=1)


def _moments(features, lengths):
    if len(features) == 1:  # a single clip has no padding
        mean = features.mean(1)
        return mean, features.sub_(mean[:, None]).square_().mean(1).sqrt_()
    # summed in float64, so that the amount of padding does not change the last digits
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
    """Average consecutive frames into steps, (B, T, C) to (B, max_steps, C).

    The last step of a clip averages its remaining frames; later steps are NaN. With `squeeze`,
    clips that are too long average more frames per step, as many as needed to fit; otherwise their
    end is dropped.
    """
    widths = torch.full_like(lengths, frames_per_step)  # (B,)
    if squeeze:
        widths = torch.maximum(widths, -(-lengths // max_steps))
    steps = features.new_full((len(features), max_steps, features.shape[2]), torch.nan)
    for width in widths.unique().tolist():  # only one unless a clip is squeezed
        clips = widths == width
        averages = _averages(features[clips], lengths[clips], width, max_steps)
        steps[clips, : averages.shape[1]] = averages
    return steps


def _averages(features, lengths, width, max_steps):
    """Average groups of `width` frames: (B, T, C) to (B, at most max_steps, C)."""
    n_steps = min(max_steps, -(-features.shape[1] // width))
    lacking = n_steps * width - features.shape[1]
    if lacking > 0:
        features = torch.cat([features, features[:, -1:].expand(-1, lacking, -1)], dim=1)
    pieces = features[:, : n_steps * width].unflatten(1, (n_steps, width))  # (B, S, width, C)
    starts = torch.arange(n_steps, device=lengths.device) * width
    real = (lengths[:, None] - starts).clamp_(0, width)[..., None]  # (B, S, 1)
    # in float64, so that subtracting the repeated last frames leaves no rounding error
    last = features[:, -1:].double()
    sums = pieces.sum(2, dtype=torch.double) - (width - real) * last
    return (sums / real).float().masked_fill_(real == 0, torch.nan)
