"""Acoustic functionals of the voice: the 88 features of eGeMAPS."""
