"""Every private name of scikit-learn that the package uses, in one place.

scikit-learn may move or change these between minor releases, and pyproject therefore bounds its
version from above. Names are resolved on first use, so that a transformer does not import
scikit-learn's model selection.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # decorators that keep the signature, which scikit-learn does not declare
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

    def validate_params(
        parameter_constraints: dict[str, Any], *, prefer_skip_nested_validation: bool
    ) -> Callable[[F], F]: ...

    def _fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]: ...


# name -> the module of scikit-learn that defines it
_HOMES = {
    "_fit_context": "base",
    "_BaseImputer": "impute._base",
    "_BaseScorer": "metrics._scorer",
    "_MultimetricScorer": "metrics._scorer",
    "_Scorer": "metrics._scorer",
    "BaseSearchCV": "model_selection._search",
    "GroupsConsumerMixin": "model_selection._split",
    "_UnsupportedGroupCVMixin": "model_selection._split",
    "_name_estimators": "pipeline",
    "_safe_indexing": "utils",
    "_set_output": "utils",
    "_routing_enabled": "utils._metadata_requests",
    "HasMethods": "utils._param_validation",
    "Interval": "utils._param_validation",
    "InvalidParameterError": "utils._param_validation",
    "Options": "utils._param_validation",
    "RealNotInt": "utils._param_validation",
    "StrOptions": "utils._param_validation",
    "validate_params": "utils._param_validation",
    "_BaseComposition": "utils.metaestimators",
    "_safe_split": "utils.metaestimators",
    "_check_feature_names_in": "utils.validation",
    "_check_method_params": "utils.validation",
    "_check_response_method": "utils.validation",
    "_check_sample_weight": "utils.validation",
    "_num_samples": "utils.validation",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(f"sklearn.{home}"), name)


def __dir__():
    return __all__
