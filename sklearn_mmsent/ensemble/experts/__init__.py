"""Experts of modalities: who they are, how they learn, and how what they say is joined."""
