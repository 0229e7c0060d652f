"""Pretrained models of every modality: found, loaded once per process, read without code."""
