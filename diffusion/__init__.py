"""Diffill's diffusion package: text -> canvas -> model -> text, and training.

It knows nothing of editors or of the language server protocol. Importing it does not
import torch; `diffusion.text` never does.
"""
