"""Training: pretraining, infill tuning, local finetuning, adapters."""
