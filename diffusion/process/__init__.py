"""The diffusion process: how much is masked when, what is committed when, the step loop.

It knows a model only as a `Denoise` callable (see `denoiser`), never as a module.
"""
