"""Model side of Diffill: the denoiser around a Hugging Face encoder, caches, checkpoints."""
