"""Training data: scanning, secret removal, corpora, splits, shards, batches."""
