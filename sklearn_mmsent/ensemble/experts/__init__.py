"""Experts of modalities: fitting, calibration, selection and combination of their outputs."""
