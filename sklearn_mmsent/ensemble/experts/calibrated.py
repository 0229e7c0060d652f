"""Classifiers of experts with the parameter `calibration`."""

from sklearn_mmsent.ensemble.experts.base import ExpertClassifier
from sklearn_mmsent.ensemble.experts.calibration import calibrate
from sklearn_mmsent.ensemble.experts.fitting import name_error
from sklearn_mmsent.utils._sklearn import StrOptions


class CalibratedExperts(ExpertClassifier):
    """Mixin for classifiers with the parameter `calibration`; to the left of `BaseExperts`."""

    _calibration_constraints: dict = {
        "calibration": [StrOptions({"sigmoid", "isotonic", "temperature"}), None]
    }

    def _method(self, expert):
        if hasattr(expert.estimator, "predict_proba") or self.calibration is None:
            return "predict_proba"
        return "decision_function"

    def _alternative(self):
        if self.calibration is not None:
            return ""
        return ", or set calibration='sigmoid', which uses decision_function"

    def _calibrate(self, outputs, data, splits):
        """Return calibrated out-of-fold outputs, and keep the calibrators."""
        self._calibrators = {}
        if self.calibration is None:
            return outputs
        probabilities = []
        for expert, expert_outputs in zip(self._fitted, outputs, strict=True):
            margins = self._method(expert) == "decision_function"
            try:
                calibrated, calibrator = calibrate(
                    expert_outputs,
                    data.encoded,
                    splits,
                    self.calibration,
                    margins=margins,
                    sample_weight=data.sample_weight,
                )
            except ValueError as error:
                raise name_error(error, expert, type(self).__name__, "calibration") from error
            probabilities.append(calibrated)
            self._calibrators[expert.name] = calibrator
        return probabilities

    def _calibrated(self, expert, outputs):
        calibrator = self._calibrators.get(expert.name)
        return outputs if calibrator is None else calibrator(outputs)
