"""Geometry that several stages share: cameras, rasterising, surface extraction, inflation. Imports no stage."""
