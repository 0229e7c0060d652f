"""Experts whose probabilities may be calibrated on their out-of-fold outputs."""

from sklearn_mmsent.ensemble.experts.base import ExpertClassifier
from sklearn_mmsent.ensemble.experts.calibration import calibrate
from sklearn_mmsent.ensemble.experts.fitting import name_error
from sklearn_mmsent.utils._sklearn import StrOptions


class CalibratedExperts(ExpertClassifier):
    """Classification with the parameter `calibration`; stands left of `BaseExperts`."""

    _calibration_constraints: dict = {
        "calibration": [StrOptions({"sigmoid", "isotonic", "temperature"}), None]
    }

    def _method(self, expert):
        told = hasattr(expert.estimator, "predict_proba") or self.calibration is None
        return "predict_proba" if told else "decision_function"

    def _other_remedy(self):
        if self.calibration is not None:
            return ""
        return ", or set calibration='sigmoid', which reads its decision_function"

    def _calibrate(self, told, data, splits):
        """Return out-of-fold outputs as probabilities, and keep what makes them so."""
        self._calibrators = {}
        if self.calibration is None:
            return told
        probabilities = []
        for expert, outputs in zip(self._fitted, told, strict=True):
            margins = self._method(expert) == "decision_function"
            try:
                calibrated, calibrator = calibrate(
                    outputs,
                    data.numbers,
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

    def _finish(self, expert, outputs):
        calibrator = self._calibrators.get(expert.name)
        return outputs if calibrator is None else calibrator(outputs)
