"""What classification and intensity share: from a table of blocks to a trained network."""

import functools
import inspect
import os
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.filling import fill_table
from sklearn_mmsent.blocks.moments import statistics_of
from sklearn_mmsent.estimators._encoder_file import write_encoders
from sklearn_mmsent.estimators._encoder_transfer import find_starts, trained_blocks
from sklearn_mmsent.estimators._encoders import PRESETS, choose_encoder
from sklearn_mmsent.estimators._fit_data import Reading, Table, rows_for_sampler
from sklearn_mmsent.estimators._spaces import fusion_space
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.nn import ENCODERS, resolve_fusion
from sklearn_mmsent.nn.losses import LOSSES
from sklearn_mmsent.training import (
    BlockDataset,
    Member,
    NetworkPlan,
    holdout_rows,
    predict_network,
    train_network,
)
from sklearn_mmsent.utils._device import resolve_device
from sklearn_mmsent.utils._random import check_checkpoint_seed, draw_seed
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, _check_sample_weight, _fit_context
from sklearn_mmsent.utils._validation import check_table


class BaseFusion(BaseEstimator, metaclass=ABCMeta):
    """Fit and predict with a fusion network; what is predicted is up to the child.

    Think twice before adding anything to this class: it holds what *every*
    fusion estimator needs. A child names its ``_task``, and writes
    ``_encode_target`` (labels or intensities to what the loss compares with),
    ``_row_weights`` and its own predictions from ``_outputs``.
    """

    # with metadata routing on, `groups` reaches fit without having to be requested
    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        "modalities": [StrOptions({"auto"}), Mapping, None],
        "fusion": [str, type],  # see resolve_fusion
        "fusion_params": [dict, None],
        "encoders": [StrOptions({"auto", *ENCODERS, *PRESETS}), type, tuple, Mapping],
        "encoders_from": [str, os.PathLike, BaseEstimator, Mapping, None],
        "freeze_encoders": ["boolean"],
        "hidden_size": [Interval(Integral, 2, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "modality_dropout": [Interval(Real, 0, 1, closed="left")],
        "block_noise": [Interval(Real, 0, None, closed="left")],
        "mixup": [Interval(Real, 0, 10, closed="both")],
        "time_masking": [Interval(Real, 0, 1, closed="left")],
        "frequency_masking": [Interval(Real, 0, 1, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine", "linear"}), None],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "random_state": ["random_state"],
        "callbacks": [list, None],
        "net_params": [dict, None],
        "checkpoint_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    # -- what a child writes -----------------------------------------------------------------

    #: Key of LOSSES.
    _task = None

    @abstractmethod
    def _check_target(self, y):
        """Check y and learn what it looks like; return it as a 1-D array."""

    @abstractmethod
    def _encode_target(self, y):
        """Turn checked targets into the array that the loss compares with."""

    @abstractmethod
    def _heads(self):
        """Return the fields of the NetworkPlan that tell the outputs, ``n_outputs`` at least."""

    def _row_weights(self, y, sample_weight):
        """Return the weight of each row in the loss."""
        return np.ones(len(y)) if sample_weight is None else sample_weight

    def _strata(self, y):
        """Return class numbers to stratify the internal split by, or None."""

    def _balances_batches(self):
        """Whether each epoch is to have as many rows of every class."""
        return False

    def _shares(self, y, sampler):
        """Turn the class shares that a sampler gave in place of labels into an array."""
        raise ValueError(
            f"{type(self).__name__}: the sampler {type(sampler).__name__} gave targets of shape "
            f"{np.shape(y)}, but this estimator learns from one target per row. Use a sampler that "
            "keeps targets, such as ModalityMixup(labels='hard')."
        )

    # -- scikit-learn's interface ------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Train the network.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table; its columns' names tell the blocks, NaN what is missing.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row in the loss.
        groups : array-like of shape (n_samples,) or None, default=None
            Speaker, video, film ... of each row; a group is never on both
            sides of the internal validation split.
        X_val : DataFrame or array-like or None, default=None
            Rows to validate on instead of a part of `X`.
        y_val : array-like or None, default=None
            Their targets.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        BlockError
            If the table does not fit the block contract.
        ValueError
            If the targets or the metadata do not fit the table.
        """
        table = self._open(X, y, sample_weight, groups=groups, X_val=X_val, y_val=y_val)
        member = self._member(self._split(table))
        self.net_ = train_network(member)
        return self

    def save_encoders(self, path):
        """Write the trained encoders to a file, for `encoders_from` of another estimator.

        The file holds tensors and a description of the blocks in the format safetensors: reading
        it runs no code.

        Parameters
        ----------
        path : str or Path
            Where; a file that is there is replaced, wholly or not at all.
        """
        check_is_fitted(self)
        write_encoders(path, trained_blocks(self))

    @classmethod
    def search_space(cls, level="small"):
        """Return what is worth trying, for any search.

        Parameters
        ----------
        level : {"small", "full"}, default="small"
            "small" is what matters most often; "full" has all fusions with their options,
            regularisation, augmentation, losses, batches and schedules as well.

        Returns
        -------
        SearchSpace
            Names of parameters and what to try; its methods give it to scikit-learn's and
            Optuna's searches.
        """
        return fusion_space(cls, level)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # -- checks ------------------------------------------------------------------------------

    def _validate_params(self):
        super()._validate_params()
        check_checkpoint_seed(self, self.checkpoint_dir)

    def _check_table(self, X, *, reset):
        """Check names and shape; what is in the cells is checked where blocks are read."""
        name = type(self).__name__
        try:
            X = check_table(self, X, reset=reset)
        except ValueError as error:
            if reset or "feature" not in str(error):
                raise
            raise BlockError(
                f"{error}\n{name} needs the columns of its training table, in their order: pass "
                "raw rows through the same fitted extractor, and reorder named columns with "
                "X[estimator.feature_names_in_]."
            ) from None
        if len(X) == 0 or X.shape[1] == 0:
            raise BlockError(
                f"{name}: found {len(X)} sample(s) and {X.shape[1]} feature(s); a minimum of 1 of "
                "each is required."
            )
        return X

    def _check_y(self, y, X, *, learn=True):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        return self._check_target(y) if learn else self._check_known_target(y)

    def _check_weights(self, sample_weight, X):
        if sample_weight is None:
            return None
        self._check_length("sample_weight", sample_weight, X)
        return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)

    def _check_groups(self, groups, X):
        if groups is None:
            return None
        self._check_length("groups", groups, X)
        groups = column_or_1d(groups)
        if pd.isna(groups).any():
            row = int(np.argmax(pd.isna(groups)))
            raise ValueError(
                f"{type(self).__name__}: groups has no value at row {row}. "
                "Give each row a group; a row on its own can have one of its own."
            )
        return groups

    def _check_length(self, what, values, X):
        n = len(values) if hasattr(values, "__len__") else None
        if n is not None and n != len(X):
            name = type(self).__name__
            raise ValueError(
                f"{name}: {what} has {n} entries, but X has {len(X)} rows. Behind a sampler, "
                f"metadata no longer matches the rows: pass the sampler as {name}(sampler=...), "
                "which applies it inside, after the validation split."
            )

    def _check_validation(self, X_val, y_val):
        if (X_val is None) != (y_val is None):
            given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
            raise ValueError(f"{type(self).__name__}: {given} is given without {missing}.")

    # -- parts of fit ------------------------------------------------------------------------

    # Each part takes what the one before gives, and may be shared by candidates that would do the
    # same; only the first and the last set attributes.

    def _open(self, X, y, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Check the table, learn what it looks like, and put its blocks on the device."""
        X = self._check_table(X, reset=True)
        y = self._check_y(y, X)
        sample_weight = self._check_weights(sample_weight, X)
        groups = self._check_groups(groups, X)
        self._check_validation(X_val, y_val)
        self.layout_ = BlockLayout.of(X, self.modalities, owner=type(self).__name__)
        blocks = self.layout_.read(X, stream=True)
        device = resolve_device(self.device)
        valid = y_valid = None
        if X_val is not None:
            valid = self.layout_.read(self._check_table(X_val, reset=False), stream=True)
            valid = BlockDataset(valid, device=device)
            y_valid = self._check_y(y_val, X_val, learn=False)
        data = BlockDataset(blocks, device=device)
        return Table(blocks, data, y, sample_weight, groups, valid, y_valid)

    def _learned(self):
        """Return the attributes that ``_open`` has set."""
        params = self.get_params(deep=False)
        return {name: value for name, value in vars(self).items() if name not in params}

    def _split(self, table):
        """Hold out rows to validate on, resample the others."""
        blocks, train, y, sample_weight = table.blocks, table.data, table.y, table.sample_weight
        valid, y_valid, weights_valid = table.valid, table.y_valid, None
        learned_from = None  # all rows
        seed = draw_seed(self.random_state)
        if valid is None:
            held = self._hold_out(blocks, y, table.groups, seed)
            train = table.data.view(np.flatnonzero(~held))
            valid = table.data.view(np.flatnonzero(held))
            y_valid = y[held]
            weights_valid = None if sample_weight is None else sample_weight[held]
            learned_from, y = ~held, y[~held]
            sample_weight = None if sample_weight is None else sample_weight[~held]
        if self.sampler is not None:
            blocks = rows_for_sampler(self, blocks, learned_from)
            blocks, y, sample_weight = self._resample(blocks, y, sample_weight, seed)
            learned_from = None
            train = BlockDataset(blocks, device=train.present.device)
        return Reading(
            seed=seed,
            statistics=tuple(statistics_of(blocks, learned_from)),
            unseen=self._find_unseen(blocks, learned_from),
            train=train,
            y=y,
            sample_weight=sample_weight,
            valid=valid,
            y_valid=y_valid,
            weights_valid=weights_valid,
        )

    def _member(self, reading):
        """Return the network to train on what was read."""
        self._unseen = reading.unseen
        # class weights are those of the training rows on both sides
        self._learn_weights(reading.y)
        train = reading.train.view(
            targets=self._encode_target(reading.y),
            weights=self._row_weights(reading.y, reading.sample_weight),
            classes=self._strata(reading.y) if self._balances_batches() else None,
        )
        valid = None
        if len(reading.y_valid):
            valid = reading.valid.view(
                targets=self._encode_target(reading.y_valid),
                weights=self._row_weights(reading.y_valid, reading.weights_valid),
            )
        return Member(
            self._plan(reading.statistics),
            train,
            valid,
            loss=self._loss(),
            seed=reading.seed,
            lr=self.lr,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.n_iter_no_change if valid and self.early_stopping else None,
            clip_norm=self.clip_norm,
            lr_schedule=self.lr_schedule,
            warmup=self.warmup,
            device=resolve_device(self.device),
            precision=self.precision,
            callbacks=self.callbacks,
            verbose=int(self.verbose),
            net_params=self.net_params,
            checkpoint_dir=None if self.checkpoint_dir is None else os.fspath(self.checkpoint_dir),
        )

    def _hold_out(self, blocks, y, groups, seed):
        n = len(y)
        if not self.early_stopping:
            return np.zeros(n, dtype=bool)
        return holdout_rows(
            blocks, self.validation_fraction, seed=seed, groups=groups, labels=self._strata(y)
        )

    def _resample(self, blocks, y, sample_weight, seed):
        """Let the sampler work on a filled table of the training rows."""
        sampler = clone(self.sampler)
        if sampler.get_params().get("random_state", seed) is None:
            sampler.set_params(random_state=seed)
        layout = self.layout_
        names = [name for block in layout.blocks for name in block.column_names()]
        means = [block.statistics()[0] for block in blocks]
        table = fill_table(layout.blocks, blocks, means, names)
        X_new, y_new = sampler.fit_resample(table, y)
        if np.ndim(y_new) != np.ndim(y):
            y_new = self._shares(y_new, sampler)
        if sample_weight is not None:
            if not hasattr(sampler, "sample_indices_"):
                raise ValueError(
                    f"{type(self).__name__}: the sampler {type(sampler).__name__} makes new rows, "
                    "for which sample_weight has no entries. Use a sampler that chooses rows, or "
                    "class_weight, or no sample_weight."
                )
            sample_weight = sample_weight[sampler.sample_indices_]
        found = getattr(sampler, "sample_weight_", None)  # of a sampler that trusts some rows less
        if found is not None:
            sample_weight = found if sample_weight is None else sample_weight * found
        return BlockLayout.from_names(X_new.columns).read(X_new), np.asarray(y_new), sample_weight

    def _learn_weights(self, y):
        """Learn from the training targets what ``_row_weights`` needs."""

    def _find_unseen(self, blocks, learned_from):
        """Blocks that no training row has: nothing can be learned about them."""
        present = [b.present if learned_from is None else b.present[learned_from] for b in blocks]
        unseen = [i for i, rows in enumerate(present) if len(rows) and not rows.any()]
        if unseen:
            names = ", ".join(repr(self.layout_.blocks[i].name) for i in unseen)
            warnings.warn(
                f"{type(self).__name__}: no training row has the block {names}; it is taken as "
                "missing in prediction, too.",
                UserWarning,
                stacklevel=4,
            )
        return unseen

    def _plan(self, statistics):
        layout = self.layout_
        fusion = self._fusion_class()
        owner = type(self).__name__
        encoders = tuple(
            choose_encoder(self.encoders, block, layout, sequential=fusion.sequential, owner=owner)
            for block in layout.blocks
        )
        self._encoders = encoders
        starts = None
        if self.encoders_from is not None:
            starts = find_starts(
                self.encoders_from,
                layout,
                encoders,
                width=self.hidden_size,
                frozen=bool(self.freeze_encoders),
                owner=owner,
            )
        return NetworkPlan(
            shapes=tuple(block.shape for block in layout.blocks),
            modality_of_block=tuple(
                layout.modalities.index(block.modality) for block in layout.blocks
            ),
            statistics=statistics,
            encoders=encoders,
            fusion=(fusion, dict(self.fusion_params or {})),
            width=self.hidden_size,
            dropout=self.dropout,
            modality_dropout=self.modality_dropout,
            **self._heads(),
            starts=starts,
            augmentation={
                "block_noise": self.block_noise,
                "mixup": self.mixup,
                "time_masking": self.time_masking,
                "frequency_masking": self.frequency_masking,
            },
        )

    def _fusion_class(self):
        return resolve_fusion(self.fusion, type(self).__name__)

    def _loss(self):
        """Return the loss function: outputs, targets -> loss of each row."""
        loss = self.loss if callable(self.loss) else LOSSES[self._task][self.loss]
        if not self.loss_params:
            return loss
        try:
            inspect.signature(loss).bind(None, None, **self.loss_params)
        except TypeError as error:
            options = list(inspect.signature(loss).parameters)[2:]
            raise ValueError(
                f"{type(self).__name__}: loss_params do not fit the loss {self.loss!r}: {error}. "
                f"Its options are: {', '.join(options) or 'none'}."
            ) from None
        return functools.partial(loss, **self.loss_params)

    # -- prediction --------------------------------------------------------------------------

    def _outputs(self, X):
        """Return the network's outputs of shape (n_samples, n_outputs)."""
        return predict_network(self._fitted_network(), self._dataset(X))

    def _fused(self, X):
        """Return the vectors that the head reads, of shape (n_samples, n_fused)."""
        return predict_network(self._fitted_network().fuse, self._dataset(X))

    def _fitted_network(self):
        check_is_fitted(self)
        return self.net_.module_

    def _dataset(self, X):
        """Return the rows of a table to predict, as the network takes them."""
        blocks = self.layout_.read(self._check_table(X, reset=False), stream=True)
        for i in self._unseen:
            blocks[i].present[:] = False
        return BlockDataset(blocks, device=self.net_.device)
