"""What tuning on a repository makes: adapters, where they lie, and how they get into a model."""
