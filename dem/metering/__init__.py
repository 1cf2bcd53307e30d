"""Meter readings as metering operators deliver them: files of several formats, read into one record."""
