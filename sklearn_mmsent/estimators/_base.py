"""The fit of a fusion estimator, in stages that searches and ensembles share."""

import os
from abc import ABCMeta, abstractmethod
from dataclasses import fields

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.estimators._checks import check_groups, check_validation, check_weights
from sklearn_mmsent.estimators._encoder_file import write_encoders
from sklearn_mmsent.estimators._encoder_transfer import trained_blocks
from sklearn_mmsent.estimators._network_plan import network_plan
from sklearn_mmsent.estimators._parameters import ROLES, SHAPE_PARAMETERS, names_of, space_of
from sklearn_mmsent.estimators._prediction import NetworkPrediction
from sklearn_mmsent.estimators._split import FitTable, split_table
from sklearn_mmsent.training import BlockDataset, Member, train_network
from sklearn_mmsent.utils._device import resolve_device
from sklearn_mmsent.utils._messages import did_you_mean
from sklearn_mmsent.utils._random import check_checkpoint_seed
from sklearn_mmsent.utils._sklearn import InvalidParameterError, StrOptions, _fit_context

_COLUMNS = ("n_features_in_", "feature_names_in_")


class BaseFusion(NetworkPrediction, BaseEstimator, metaclass=ABCMeta):
    """Base class of the estimators that train a fusion network.

    A subclass names its parameters, in the table ``_parameters``, and its target, in
    ``_make_target``.

    ``fit`` runs four stages, which cross-validations, searches and ensembles call themselves::

        table = estimator.prepare(X, y, sample_weight, groups=groups)
        rows = estimator.split(table)
        member = estimator.member(rows)
        estimator.adopt(train_network(member))

    - ``prepare`` checks the table and its targets and puts the blocks on the device. It depends
      on the parameters with the role "table" only.
    - ``split`` holds out validation rows and resamples the training rows. It also depends on the
      parameters with the role "split".
    - ``member`` returns the network to train, as a record for `training.train_members`. It depends
      on all parameters.
    - ``adopt`` makes the estimator predict with a trained network.

    Estimators with equal parameters of a stage and of those before it (``params_of``) can
    share its result: ``split`` and ``member`` also take what another estimator returned, and then
    set the attributes that ``prepare`` would have set. Only the order of the stages matters;
    members can be trained as a batch, elsewhere or later.

    A fitted estimator has ``read`` and ``fuse``, which return the rows of a table in the form that
    the network takes, and the fused vectors.
    """

    # with metadata routing on, `groups` reaches fit without having to be requested
    __metadata_request__fit = {"groups": True}

    #: Parameter by name.
    _parameters = None
    #: Names of the parameters that networks must agree in to be trained as a batch.
    shape_parameters = frozenset(SHAPE_PARAMETERS)

    @abstractmethod
    def _make_target(self, y):
        """Return the target of the training labels, and the encoded labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels.

        Returns
        -------
        target : Target or TargetSet
            Target.
        numbers : ndarray
            Encoded labels.
        """

    # -- scikit-learn's interface ------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Train the network.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table; the names of its columns define the blocks, NaN is a missing value.
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
        table = self.prepare(X, y, sample_weight, groups=groups, X_val=X_val, y_val=y_val)
        return self.adopt(train_network(self.member(self.split(table))))

    def save_encoders(self, path):
        """Write the trained encoders to a file, for `encoders_from` of another estimator.

        The file holds tensors and a description of the blocks in the safetensors format: reading
        it runs no code.

        Parameters
        ----------
        path : str or Path
            Path of the file; an existing file is replaced as a whole or not at all.
        """
        check_is_fitted(self)
        write_encoders(path, trained_blocks(self))

    @classmethod
    def search_space(cls, level="small"):
        """Return the values that a search tries.

        Parameters
        ----------
        level : {"small", "full"}, default="small"
            "small" has the parameters that matter most often; "full" also has all fusions with
            their options, regularisation, augmentation, losses, batch sizes and schedules.

        Returns
        -------
        SearchSpace
            Values by parameter; its methods convert it for scikit-learn's and Optuna's searches.

        Raises
        ------
        ValueError
            If there is no such level.
        """
        return space_of(cls._parameters, level, cls.__name__)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _validate_params(self):
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{error}{self._guess()}") from None
        check_checkpoint_seed(self, self.checkpoint_dir)

    def _guess(self):
        """Return a question about the first string that is close to an option of its parameter."""
        for name, constraints in self._parameter_constraints.items():
            value = getattr(self, name)
            options = {o for c in constraints if isinstance(c, StrOptions) for o in c.options}
            if isinstance(value, str) and str not in constraints and value not in options:
                return did_you_mean(value, sorted(options))
        return ""

    # -- stages of a fit ---------------------------------------------------------------------

    def prepare(self, X, y, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Check the table and its targets, and put the blocks on the device.

        Parameters
        ----------
        X, y, sample_weight, groups, X_val, y_val : DataFrame, array-like or None
            Passed as to `fit`.

        Returns
        -------
        FitTable
            For `split`.

        Raises
        ------
        BlockError
            If the table does not fit the block contract.
        ValueError
            If the targets or the metadata do not fit the table.
        """
        owner = type(self).__name__
        X = self._check_table(X, reset=True)
        if y is None:
            raise ValueError(f"{owner} requires y to be passed, but the target y is None")
        target, numbers = self._make_target(y)
        check_consistent_length(X, numbers)
        sample_weight = check_weights(sample_weight, X, owner)
        groups = check_groups(groups, X, owner)
        check_validation(X_val, y_val, owner)
        layout = BlockLayout.of(X, self.modalities, owner=owner)
        device = resolve_device(self.device)
        blocks = layout.read(X, stream=True)
        valid = y_valid = None
        if X_val is not None:
            rows = layout.read(self._check_table(X_val, reset=False), stream=True)
            valid, y_valid = BlockDataset(rows, device=device), target.encode(y_val)
            check_consistent_length(X_val, y_valid)
        return FitTable(
            columns={name: vars(self)[name] for name in _COLUMNS if name in vars(self)},
            layout=layout,
            target=target,
            blocks=blocks,
            data=BlockDataset(blocks, device=device),
            y=numbers,
            sample_weight=sample_weight,
            groups=groups,
            valid=valid,
            y_valid=y_valid,
        )

    def split(self, table):
        """Hold out validation rows, and resample the training rows.

        Parameters
        ----------
        table : FitTable
            From `prepare`, also that of an estimator with equal parameters of the role "table".

        Returns
        -------
        FitRows
            For `member`.
        """
        self._take(table)
        return split_table(table, self.params_of(*ROLES), type(self).__name__)

    def member(self, rows):
        """Return the network to train.

        Parameters
        ----------
        rows : FitRows
            From `split`, also that of an estimator with equal parameters of the roles "table" and
            "split".

        Returns
        -------
        Member
            For `training.train_network`, or with others for `training.train_members`.
        """
        self._take(rows)
        self._unseen = rows.unseen
        params, target = self.params_of(*ROLES), rows.target
        train = self._with_targets(rows.train, rows.y, rows.sample_weight, rows, params)
        if params.get("balanced_batches"):
            train = train.view(classes=target.strata(rows.y))
        valid = None
        if len(rows.y_valid):
            valid = self._with_targets(rows.valid, rows.y_valid, rows.weights_valid, rows, params)
        names = names_of(self._parameters, "network")
        plan = network_plan(rows, params, names, type(self).__name__)
        self._encoders = plan.encoders
        known = {field.name for field in fields(Member)}
        settings = {name: params[name] for name in names_of(self._parameters, "training")}
        settings = {name: value for name, value in settings.items() if name in known}
        settings |= {
            "loss": target.loss(params, rows.y),
            "patience": self.n_iter_no_change if valid and self.early_stopping else None,
            "device": resolve_device(self.device),
            "verbose": int(self.verbose),
        }
        if self.checkpoint_dir is not None:
            settings["checkpoint_dir"] = os.fspath(self.checkpoint_dir)
        return Member(plan, train, valid, seed=rows.seed, **settings)

    def adopt(self, net):
        """Take a trained network, to predict with it.

        Parameters
        ----------
        net : FusionNet
            What training the network of `member` returned.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self.net_ = net
        return self

    def params_of(self, *roles):
        """Return the parameters that have one of some roles.

        Parameters
        ----------
        *roles : {"table", "split", "network", "training"}
            Roles.

        Returns
        -------
        dict of str to object
            Values by name.
        """
        return {name: getattr(self, name) for name in names_of(self._parameters, *roles)}

    def _take(self, read):
        """Set the attributes that follow from the table."""
        vars(self).update(read.columns)
        self.layout_, self._target = read.layout, read.target

    @staticmethod
    def _with_targets(data, y, sample_weight, rows, params):
        weights = rows.target.row_weights(y, rows.y, params)
        if sample_weight is not None:
            weights = weights * sample_weight
        return data.view(targets=rows.target.loss_targets(y), weights=weights)
