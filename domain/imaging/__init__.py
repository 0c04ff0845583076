"""Pixels: from an original of any kind to its preview, thumbnail, rendering and measurements."""
