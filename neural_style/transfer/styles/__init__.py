"""Styles of a run: images, saved targets, and several of them together."""
