"""Training many networks at once: folds, candidates and seeds, stacked where compatible."""

from sklearn_mmsent.training.batched.train_members import Trained, train_members

__all__ = ["Trained", "train_members"]
