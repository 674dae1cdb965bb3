"""Exports diffusers folders to the ONNX layout that pregen draws with: see docs/models.md."""
