"""Acoustic functionals: the 88 parameters of eGeMAPS."""
